"""Risk control (P11, commerce.md §2.23): rules as data with versions, evaluation as a pure function, decisions with their inputs.

Who needs a judgement collects the inputs and carries out the decision; this domain knows no order. While no rule is in force nothing
is read. A rule in shadow mode is evaluated and counted, and decides nothing.
"""
