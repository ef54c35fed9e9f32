"""The checkpoint in Hugging Face Transformers, float32: what a bundle is held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MissingToolError


class Reference:
    """A checkpoint directory opened by Transformers, in float32 on the CPU.

    Raises MissingToolError when torch or transformers is not installed.
    """

    def __init__(self, directory: Path) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MissingToolError(
                f"the reference needs {error.name}", remedy='pip install "edgekit[reference]"'
            ) from error
        self._torch = torch
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
        self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager"
        ).eval()

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logits behind each token, shape (tokens, vocabulary)."""
        with self._torch.no_grad():
            logits: NDArray[np.float32] = self.model(self._torch.tensor([list(tokens)])).logits[0].numpy()
        return logits

    def render(self, messages: Sequence[dict[str, Any]]) -> str:
        """The prompt that Transformers makes of a conversation, ready for the model's turn."""
        text: str = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return text

    def generate(self, prompt: str, *, max_new_tokens: int = 64) -> str:
        """The greedy answer to a user's message, without special tokens."""
        text = self.render([{"role": "user", "content": prompt}])
        inputs = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        with self._torch.no_grad():
            output = self.model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
        answer: str = self.tokenizer.decode(
            output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return answer
