"""Care: what the shop does before it is asked: planned calls and visits, one word to everybody whom a mishap touched."""
