"""Import and export: JSON lines in and out, an item a line.

line      one line of the format: what it may say and what is refused
batch     lines, gathered into what is stored at once
reading   the process that reads
reader    a file as batches, from that process
rejects   the file of refused lines
progress  how far each file came
importer  batches into the database
exporter  the database as lines
"""
