"""The checkpoint in Hugging Face Transformers, float32: what a bundle is held against.

torch's threads wait for each other by spinning. On a machine whose cores are busy that takes ten times as long as to
read the text, so they are told to sleep; who has set OMP_WAIT_POLICY is left to it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import CheckpointError, MissingToolError
from edgekit.text.template.render import render_source

_PAD = 0
"""Any id does: no token of a text sees it."""
_HEAD_CHUNK = 64
"""States whose logits are made at once: 67 MB at 262,144 pieces."""


@contextlib.contextmanager
def _naming(directory: Path) -> Iterator[None]:
    """What Transformers cannot open is an error of the checkpoint: edgekit has read it before."""
    try:
        yield
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # of Transformers' own kinds, and whatever the checkpoint makes it stumble over
        said = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"Transformers cannot open it: {said or type(error).__name__}",
            where=directory,
            remedy="mend the key that it names, or save the checkpoint again with save_pretrained()",
        ) from error


class Reference:
    """A checkpoint directory opened by Transformers, in float32, on the GPU when there is one.

    text_directory: where the tokenizer is, when it is elsewhere. adapter: a PEFT adapter to put over the
    model, unmerged.
    Raises MissingToolError when torch, transformers or peft is not installed.
    """

    def __init__(
        self, directory: Path, *, text_directory: Path | None = None, adapter: Path | None = None
    ) -> None:
        # Deprecations among other packages, which no user of this one can mend.
        for noisy in ("torch.utils._pytree", "torchao"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        warnings.filterwarnings(
            "ignore", category=FutureWarning, module=r"(transformers|torch|torchao|peft)\b"
        )
        os.environ.setdefault(
            "OMP_WAIT_POLICY", "PASSIVE"
        )  # read when torch is loaded; see the module's docstring
        try:
            import torch
            import transformers

            if adapter is not None:
                import peft
        except ImportError as error:
            raise MissingToolError(
                f"the reference needs {error.name}", remedy='pip install "edgekit[reference]"'
            ) from error
        transformers.utils.logging.disable_progress_bar()  # ours tell what they load
        self._torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        with _naming(text_directory or directory):
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(text_directory or directory)
        with _naming(directory):
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                directory, dtype=torch.float32, attn_implementation="eager"
            )
        if adapter is not None:
            with _naming(adapter):
                model = peft.PeftModel.from_pretrained(model, adapter)
        self.model: Any = model.to(self.device).eval()

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logits behind each token, shape (tokens, vocabulary)."""
        with self._torch.no_grad():
            output = self.model(self._torch.tensor([list(tokens)], device=self.device))
        logits: NDArray[np.float32] = output.logits[0].cpu().numpy()
        return logits

    def hidden(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The last hidden state behind each token, normed, shape (tokens, hidden): what the head multiplies."""
        return self.states([tokens], [0])[0]

    def states(self, texts: Sequence[Sequence[int]], firsts: Sequence[int]) -> list[NDArray[np.float32]]:
        """The last hidden states of several texts, each from its token number `first` on, computed at once.

        Texts are padded behind their end, where nothing that came before can see it.
        """
        torch = self._torch
        longest = max(map(len, texts))
        ids = torch.tensor([[*text, *([_PAD] * (longest - len(text)))] for text in texts], device=self.device)
        with torch.no_grad():
            output = self.model(ids, output_hidden_states=True, logits_to_keep=1)
        last = output.hidden_states[-1]
        return [
            last[row, first : len(text)].cpu().numpy().copy()
            for row, (text, first) in enumerate(zip(texts, firsts, strict=True))
        ]

    def most_probable(self, states: NDArray[np.float32]) -> list[int]:
        """The most probable token behind each hidden state."""
        torch = self._torch
        head, found = self.model.get_output_embeddings(), []
        with torch.no_grad():
            for start in range(0, len(states), _HEAD_CHUNK):
                chunk = torch.from_numpy(states[start : start + _HEAD_CHUNK]).to(self.device)
                found += head(chunk).argmax(-1).tolist()
        return found

    def load_weights(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        """Replace weights, by their names in `Gemma3ForCausalLM`."""
        state = {name: self._torch.from_numpy(values) for name, values in tensors.items()}
        self.model.load_state_dict(state, strict=False)

    def render(self, messages: Sequence[dict[str, Any]]) -> str:
        """The prompt that Transformers makes of a conversation, ready for the model's turn.

        Raises TemplateError first when the template takes more time or memory than it may: Transformers sets no limits.
        """
        render_source(
            self.tokenizer.get_chat_template(),
            "the chat template",
            messages,
            self.tokenizer.special_tokens_map,
            True,
        )
        text: str = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return text

    def generate_ids(
        self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, stop_ids: Sequence[int]
    ) -> list[list[int]]:
        """The greedy continuations of some prompts, generated together, the token that ended each included.

        Prompts are padded in front; the mask hides that, and positions count from each prompt's own beginning.
        """
        torch = self._torch
        longest = max(map(len, prompts))
        inputs = torch.tensor([[*([_PAD] * (longest - len(p))), *p] for p in prompts], device=self.device)
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=self.device)
        with torch.no_grad():
            output = self.model.generate(
                input_ids=inputs,
                attention_mask=mask,
                do_sample=False,
                top_k=None,
                top_p=None,
                max_new_tokens=max_new_tokens,
                eos_token_id=list(stop_ids),
                pad_token_id=_PAD,
            )
        stops = set(stop_ids)
        return [_up_to_stop(row, stops) for row in output[:, longest:].tolist()]

    def generate(self, prompt: str, *, max_new_tokens: int = 64) -> str:
        """The greedy answer to a user's message, without special tokens."""
        text = self.render([{"role": "user", "content": prompt}])
        inputs = self.tokenizer(text, add_special_tokens=False, return_tensors="pt").to(self.device)
        with self._torch.no_grad():
            output = self.model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
        answer: str = self.tokenizer.decode(
            output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return answer


def _up_to_stop(ids: list[int], stops: set[int]) -> list[int]:
    """Cut what stands behind the token that ended an answer."""
    for place, token in enumerate(ids):
        if token in stops:
            return ids[: place + 1]
    return ids
