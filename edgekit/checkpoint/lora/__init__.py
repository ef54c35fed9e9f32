"""LoRA adapters as PEFT saves them: their configuration, and the merge into their base.

An adapter that stays apart at run time is made in `conversion.adapter`.
"""
