"""The console's pages of privacy: who asked to be forgotten, a customer's copy and consents, how long things are kept."""
