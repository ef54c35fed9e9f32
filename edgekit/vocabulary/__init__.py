"""Which part of a vocabulary a task needs, and a model without the rest.

A fine-tune for one task uses a few thousand of Gemma's 262,144 pieces, and carries a row of the embedding for each.
`edgekit convert --vocab-from` keeps the rows that the task's own texts ask for; `edgekit vocab` tells beforehand what
that would give.
"""
