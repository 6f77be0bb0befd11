"""Reports: what the desk did in a period, as rows (`rows`) and as figures that anybody can count again over them (`figures`)."""
