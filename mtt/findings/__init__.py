"""What the study's models show, in reading order:

``reference``     what the full run found, and what tuning corpora showed
``judge``         effects over replicates, and how what is claimed is measured
``claims``        what is claimed, and what that is judged by
``curves``        what is drawn as curves: scarcity, the teacher's training, lengths, tags
``lengths``       what the length of the input does to a trained model
``pseudo_labels`` how good a teacher's pseudo-labels are
``evidence``      whether explanations hold
``anchor``        the same questions of larger models, on a GPU
``tuning``        whether models are converged and what can be seen, on corpora that no result comes from
"""
