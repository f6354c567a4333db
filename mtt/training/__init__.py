"""How models learn, in reading order:

ranks    the processes that train one model together
fit      the training loop, one for teachers, students and baselines, and the objective on labels
student  the objective of a noisy student: labels and a teacher's pseudo-labels
"""
