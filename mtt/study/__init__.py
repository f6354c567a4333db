"""The experiment: what is trained, on what, and what it shows.

``recipes``       all that makes one trained model, and the line-up of the study's models by name
``parameters``    what a user may set: in a notebook's parameters cell, by papermill, on the command line, in a file
``cells``         trained models in folders: made when missing, resumed when unfinished, read back when done
``schedule``      cells made side by side
``workspace``     a study: settings, folder, collection, split, and the cells that are made of them
``lengths``       what the length of the input does
``claims``        what is claimed, how it is measured and judged
``pseudo_labels`` how good a teacher's pseudo-labels are
``evidence``      whether explanations hold
``job``           one model trained from a file of settings
"""
