"""The pictures a shop draws: the membership card, vouchers, referral invitations and plain QR codes.

Pure functions from values to PNG bytes. Every word on a picture is given in by the caller, already in the reader's language.
"""
