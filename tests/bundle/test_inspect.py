"""`inspect` on our bundles, on the stock builder's files, and on damaged ones.

The model here is a real TFLite flatbuffer made with the schema: two signatures, weights shared by both and
kept behind the flatbuffer, int8 per channel, int4 in blocks of 32 with their scales, and float norms.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundle.container import PREFILL_DECODE, SectionKind, read_container
from edgekit.bundle.inspect import inspect
from edgekit.bundle.manifest import (
    ArchitectureUse,
    GraphUse,
    Manifest,
    ModelFile,
    RecipeUse,
    SamplerUse,
    Source,
    StopToken,
    write_manifest,
)
from edgekit.bundle.summary import PARTS, TokenSummary
from edgekit.bundle.tflite import SchemeSummary, TensorSpec
from edgekit.bundle.writing import Section, pack_hf_tokenizer, write_container
from edgekit.errors import BundleError
from tests.fixtures.mutations import damaged

VOCABULARY, HIDDEN, MLP = 96, 64, 128
PIECES = ["<pad>", "<eos>", "<bos>", "<unk>", "hei", "<end_of_turn>", "\n"]
EMBEDDING, PROJECTION, GATE = VOCABULARY * HIDDEN, HIDDEN * HIDDEN // 2, MLP * HIDDEN // 2
GATE_SCALES = MLP * HIDDEN // 32 * 2


def model(*, kv_length: int = -1, behind: bool = True) -> bytes:
    """A TFLite model; kv_length -1 is a free dimension, `behind` keeps weights outside the flatbuffer."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    channel = s.QuantizationParametersT()
    channel.scale, channel.quantizedDimension = [0.1] * VOCABULARY, 0
    attention = s.QuantizationParametersT()
    attention.scale, attention.zeroPoint = [0.1] * HIDDEN, [0] * HIDDEN
    blocks = s.BlockwiseQuantizationT()
    blocks.scales, blocks.zeroPoints, blocks.blockSize = 3, -1, 32
    gate = s.QuantizationParametersT()
    gate.detailsType, gate.details = s.QuantizationDetails.BlockwiseQuantization, blocks
    layer = "Gemma3ForCausalLM_model/Gemma3DecoderLayer_0/"
    weights: list[tuple[str, list[int], int, Any, int]] = [
        ("arith.constant18", [VOCABULARY, HIDDEN], s.TensorType.INT8, channel, EMBEDDING),
        (
            layer + "Gemma3Attention_self_attn/Linear_q_proj;",
            [HIDDEN, HIDDEN],
            s.TensorType.INT4,
            attention,
            PROJECTION,
        ),
        (layer + "Gemma3MLP_mlp/Linear_gate_proj;", [MLP, HIDDEN], s.TensorType.INT4, gate, GATE),
        ("scales", [MLP, HIDDEN // 32], s.TensorType.FLOAT16, None, GATE_SCALES),
        (layer + "Gemma3RMSNorm_post_attention_layernorm;", [HIDDEN], s.TensorType.FLOAT32, None, HIDDEN * 4),
        ("arith.constant", [4], s.TensorType.INT32, None, 16),
    ]

    def tensor(name: str, shape: list[int], kind: int, buffer: int, quantization: Any = None) -> Any:
        made = s.TensorT()
        made.name, made.type, made.buffer, made.quantization = name, kind, buffer, quantization
        made.shape = [max(size, 1) for size in shape]
        if -1 in shape:
            made.shapeSignature = shape
        return made

    def subgraph(name: str, tokens: int) -> Any:
        made = s.SubGraphT()
        made.name = name
        made.tensors = [tensor(n, shape, kind, i + 1, q) for i, (n, shape, kind, q, _) in enumerate(weights)]
        made.tensors += [
            tensor("a", [1, tokens], s.TensorType.INT32, 0),
            tensor("b", [1, 1, kv_length, 32], s.TensorType.FLOAT32, 0),
            tensor("c", [1, 1, tokens, kv_length], s.TensorType.FLOAT32, 0),
            tensor("d", [1, 1, VOCABULARY], s.TensorType.FLOAT32, 0),
        ]
        made.inputs, made.outputs, made.operators = [6, 7, 8], [7, 9], []
        return made

    def signature(name: str, number: int, logits: bool) -> Any:
        made = s.SignatureDefT()
        made.signatureKey, made.subgraphIndex = name, number

        def entry(name: str, index: int) -> Any:
            mapped = s.TensorMapT()
            mapped.name, mapped.tensorIndex = name, index
            return mapped

        made.inputs = [
            entry("tokens", 6),
            entry("kv_cache_k_0", 7),
            entry("kv_cache_v_0", 7),
            entry("mask", 8),
        ]
        made.outputs = [entry("kv_cache_k_0", 7)] + ([entry("logits", 9)] if logits else [])
        return made

    def pack(offsets: list[int]) -> bytes:
        root = s.ModelT()
        root.version = 3
        root.subgraphs = [subgraph("prefill", -1 if kv_length < 0 else 32), subgraph("decode", 1)]
        root.signatureDefs = [signature("prefill", 0, False), signature("decode", 1, True)]
        root.buffers = [s.BufferT()]
        for (*_, size), offset in zip(weights, offsets, strict=True):
            buffer = s.BufferT()
            if behind:
                buffer.offset, buffer.size = offset, size
            else:
                buffer.data = bytes(size)
            root.buffers.append(buffer)
        builder = flatbuffers.Builder(1024)
        builder.Finish(root.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    if not behind:
        return pack([0] * len(weights))
    head = len(pack([2] * len(weights)))
    offsets, position = [], head
    for *_, size in weights:
        offsets.append(position)
        position += size
    return pack(offsets) + bytes(position - head)


def sentencepiece() -> bytes:
    """A SentencePiece model as protobuf bytes: per piece its text and a score; then a trainer message."""
    out = b""
    for piece in PIECES:
        inner = b"\x0a" + bytes([len(piece.encode())]) + piece.encode() + b"\x15" + bytes(4)
        out += b"\x0a" + bytes([len(inner)]) + inner
    return out + b"\x12\x02\x18\x01" + b"\x80\x02\x01"


def metadata() -> bytes:
    from litert_lm_builder.runtime.proto import llm_metadata_pb2

    message = llm_metadata_pb2.LlmMetadata()
    message.start_token.token_ids.ids.append(2)
    message.pad_token.token_ids.ids.append(0)
    message.stop_tokens.add().token_ids.ids.append(1)
    message.stop_tokens.add().token_ids.ids.extend([5, 6])
    message.stop_tokens.add().token_str = "<end_of_turn>"
    message.stop_tokens.add().token_ids.ids.append(999)
    message.sampler_params.type = message.sampler_params.TOP_P
    message.sampler_params.temperature, message.sampler_params.k, message.sampler_params.p = 1.0, 64, 0.95
    message.max_num_tokens = 4096
    message.llm_model_type.generic_model.SetInParent()
    message.jinja_prompt_template = "{{ messages }}"
    message.min_runtime_version = "0.18.1"
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def write(path: Path, *contents: tuple[SectionKind, bytes]) -> Path:
    sections = [
        Section(kind, len(data), [data], PREFILL_DECODE if kind is SectionKind.TFLITE_MODEL else {})
        for kind, data in contents
    ]
    with path.open("wb") as file:
        write_container(file, sections, {"edgekit": "0.1.0"})
    return path


def whole(path: Path) -> Path:
    return write(
        path,
        (SectionKind.LLM_METADATA, metadata()),
        (SectionKind.SP_TOKENIZER, sentencepiece()),
        (SectionKind.TFLITE_MODEL, model()),
    )


def test_everything_of_a_whole_file(tmp_path: Path) -> None:
    path = whole(tmp_path / "m.litertlm")
    summary = inspect(path)
    assert (summary.size, summary.sha256) == (
        path.stat().st_size,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    assert (summary.container_version, summary.system_metadata) == ("1.7.0", {"edgekit": "0.1.0"})
    assert [s.kind for s in summary.sections] == ["LlmMetadataProto", "SP_Tokenizer", "TFLiteModel"]
    assert summary.sections[2].metadata == PREFILL_DECODE
    assert (summary.manifest, summary.size_matches, summary.digest_matches) == (None, None, None)

    llm = summary.llm
    assert llm is not None
    assert llm.model_type == "generic_model"
    assert llm.start_token == TokenSummary((2,), "<bos>")
    assert llm.pad_token == TokenSummary((0,), "<pad>")
    assert llm.stop_tokens == (
        TokenSummary((1,), "<eos>"),
        TokenSummary((5, 6), "<end_of_turn>\n"),
        TokenSummary((), "<end_of_turn>"),
        TokenSummary((999,), None),
    )
    assert llm.sampler is not None
    assert dataclasses.astuple(llm.sampler) == ("top_p", 1.0, 64, 0.95)
    assert (llm.max_num_tokens, llm.template_length, llm.minimum_runtime) == (4096, 14, "0.18.1")
    assert llm.template_sha256 == hashlib.sha256(b"{{ messages }}").hexdigest()
    assert summary.tokenizer is not None
    assert dataclasses.astuple(summary.tokenizer) == ("SentencePiece", len(sentencepiece()), len(PIECES))

    (found,) = summary.models
    assert (found.section, found.layers, found.dynamic, found.kv_length) == (2, 1, True, None)
    assert summary.kv_length == 4096
    assert found.prefill_lengths == (-1,)
    assert [s.name for s in found.signatures] == ["prefill", "decode"]
    assert found.signatures[0].inputs[1] == TensorSpec("kv_cache_k_0", (1, 1, -1, 32), "float32")
    assert found.signatures[1].outputs[-1] == TensorSpec("logits", (1, 1, VOCABULARY), "float32")
    assert found.schemes == (
        SchemeSummary("int8 channel", 1, VOCABULARY * HIDDEN, EMBEDDING),
        SchemeSummary("int4 block 32", 1, MLP * HIDDEN, GATE + GATE_SCALES),
        SchemeSummary("int4 channel", 1, HIDDEN * HIDDEN, PROJECTION),
        SchemeSummary("float32", 1, HIDDEN, HIDDEN * 4),
        SchemeSummary("int32", 1, 4, 16),
    )
    assert found.parameters == VOCABULARY * HIDDEN + MLP * HIDDEN + HIDDEN * HIDDEN + HIDDEN
    assert found.parts == {
        "embedding": EMBEDDING,
        "attention": PROJECTION,
        "mlp": GATE + GATE_SCALES,
        "norms": HIDDEN * 4,
        "other constants": 16,
    }
    assert found.weight_bytes == sum(found.parts.values())
    assert found.graph_bytes + found.weight_bytes == found.size == len(model())
    assert tuple(summary.parts) == PARTS
    assert sum(summary.parts.values()) == summary.size
    assert summary.parts["tokenizer"] == len(sentencepiece())
    json.dumps(summary.to_json(), allow_nan=False)


def test_weights_inside_the_flatbuffer_and_static_shapes(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(model(kv_length=1024, behind=False))
    summary = inspect(tmp_path / "m.tflite")
    assert (summary.container_version, summary.sections, summary.llm) == (None, (), None)
    (found,) = summary.models
    assert (found.dynamic, found.kv_length, found.prefill_lengths) == (False, 1024, (32,))
    assert found.parts == inspect(whole(tmp_path / "m.litertlm")).models[0].parts
    assert sum(summary.parts.values()) == summary.size
    assert summary.kv_length == 1024


def test_the_bounded_reader_agrees_with_the_generated_one(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as s

    data = model()
    root = s.Model.GetRootAs(data, 0)
    (tmp_path / "m.tflite").write_bytes(data)
    (found,) = inspect(tmp_path / "m.tflite").models
    for number, signature in enumerate(found.signatures):
        theirs = root.SignatureDefs(number)
        assert signature.name == theirs.SignatureKey().decode()
        graph = root.Subgraphs(theirs.SubgraphIndex())
        for index, spec in enumerate(signature.inputs):
            tensor = graph.Tensors(theirs.Inputs(index).TensorIndex())
            assert spec.name == theirs.Inputs(index).Name().decode()
            signed = [] if tensor.ShapeSignatureIsNone() else list(tensor.ShapeSignatureAsNumpy())
            assert list(spec.shape) == (signed or list(tensor.ShapeAsNumpy()))
    names = {value: key.lower() for key, value in vars(s.TensorType).items() if not key.startswith("_")}
    from edgekit.bundle import tflite

    assert list(tflite._TYPES) == [names[number] for number in range(len(names))]


def test_a_file_of_the_stock_builder_with_an_hf_tokenizer(tmp_path: Path) -> None:
    import litert_lm_builder as stock

    tokenizer = {
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}},
        "added_tokens": [{"id": 2, "content": "<bos>"}],
    }
    (tmp_path / "m.tflite").write_bytes(model())
    (tmp_path / "t.json").write_text(json.dumps(tokenizer))
    (tmp_path / "llm.pb").write_bytes(metadata())
    (tmp_path / "x.bin").write_bytes(bytes(100))
    builder = stock.LitertLmFileBuilder()
    builder.add_tflite_model(str(tmp_path / "m.tflite"), stock.TfLiteModelType.PREFILL_DECODE)
    builder.add_hf_tokenizer(str(tmp_path / "t.json"))
    builder.add_llm_metadata(str(tmp_path / "llm.pb"))
    builder.add_generic_binary_data(str(tmp_path / "x.bin"))
    path = tmp_path / "stock" / "m.litertlm"
    path.parent.mkdir()
    with path.open("wb") as file:
        builder.build(file)
    summary = inspect(path.parent)  # a directory that holds one model and no manifest
    assert summary.llm is not None
    assert summary.llm.start_token == TokenSummary((2,), "<bos>")
    assert summary.tokenizer is not None
    assert (summary.tokenizer.kind, summary.tokenizer.pieces) == ("Hugging Face (BPE)", 3)
    assert summary.parts["other sections"] == 100
    assert sum(summary.parts.values()) == summary.size
    unigram = pack_hf_tokenizer(json.dumps({"model": {"type": "Unigram", "vocab": [["a", 0.0]]}}).encode())
    found = inspect(write(tmp_path / "u.litertlm", (SectionKind.HF_TOKENIZER, unigram))).tokenizer
    assert found is not None
    assert (found.kind, found.pieces) == ("Hugging Face (Unigram)", 1)


def test_a_bundle_with_its_manifest(tmp_path: Path) -> None:
    path = whole(tmp_path / "m.litertlm")
    data = path.read_bytes()
    manifest = Manifest(
        model=ModelFile("m.litertlm", len(data), hashlib.sha256(data).hexdigest()),
        source=Source("x", "y"),
        architecture=ArchitectureUse("gemma3_text", 64, 1, 128, 4, 1, 32, VOCABULARY),
        recipe=RecipeUse("int4", {}),
        graph=GraphUse("g", "dynamic"),
        kv_length=2048,
        start_token=2,
        pad_token=0,
        stop_tokens=(StopToken((1,), "<eos>"),),
        sampler=SamplerUse("greedy"),
        template_sha256=None,
        answer=None,
        minimum_runtime="0.18.1",
        tools={},
        licence=None,
    )
    write_manifest(tmp_path, manifest)
    summary = inspect(tmp_path)
    assert summary == inspect(path)
    assert (summary.manifest, summary.size_matches, summary.digest_matches) == (manifest, True, True)
    assert summary.kv_length == 2048
    assert summary.to_json()["manifest"]["kv_length"] == 2048
    path.write_bytes(data + b"\0")
    assert (inspect(tmp_path).size_matches, inspect(tmp_path).digest_matches) == (False, False)
    path.write_bytes(data[:20] + b"\1" + data[21:])  # a reserved byte of the head
    assert (inspect(tmp_path).size_matches, inspect(tmp_path).digest_matches) == (True, False)


def test_nothing_to_inspect(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is empty"), (tmp_path / "none.litertlm", "No such file")):
        with pytest.raises(BundleError, match=said):
            inspect(path)
    write(tmp_path / "a.litertlm")
    assert inspect(tmp_path).models == ()
    write(tmp_path / "b.litertlm")
    with pytest.raises(BundleError, match="2 model files"):
        inspect(tmp_path)


# ---------------------------------------- damage


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (SectionKind.TFLITE_MODEL, b"", "section 0 (TFLiteModel) is damaged: it is no TFLite model"),
        (SectionKind.TFLITE_MODEL, b"\xff\xff\xff\xffTFL3", "the root table points outside"),
        (SectionKind.TFLITE_MODEL, b"\0\0\0\0TFL3" + bytes(100), "the root table points outside"),
        (
            SectionKind.LLM_METADATA,
            b"\xff" * 20,
            "section 0 (LlmMetadataProto) is damaged: it is no LlmMetadata",
        ),
        (SectionKind.SP_TOKENIZER, b"", "section 0 (SP_Tokenizer) is damaged: it holds no pieces"),
        (SectionKind.SP_TOKENIZER, b"\x0a\xff\xff\xff\xff\x0f", "it is no SentencePiece model"),
        (SectionKind.SP_TOKENIZER, b"\xff" * 11, "it is no SentencePiece model"),
        (SectionKind.SP_TOKENIZER, b"\x0a\x03\x0a\x01\xff", "not valid UTF-8"),
        (SectionKind.SP_TOKENIZER, b"\x0b", "it is no SentencePiece model"),
        (SectionKind.HF_TOKENIZER, b"abc", "section 0 (HF_Tokenizer_Zlib) is damaged: it is shorter"),
        (SectionKind.HF_TOKENIZER, pack_hf_tokenizer(b"[" * 100_000), "no valid JSON"),
        (SectionKind.HF_TOKENIZER, pack_hf_tokenizer(b"\xff"), "no valid JSON"),
        (SectionKind.HF_TOKENIZER, pack_hf_tokenizer(b"[]"), "is no tokenizer"),
        (
            SectionKind.HF_TOKENIZER,
            pack_hf_tokenizer(b'{"model": {"vocab": {"a": 1e999}}}'),
            "is no tokenizer",
        ),
        (SectionKind.HF_TOKENIZER, pack_hf_tokenizer(b'{"model": {"vocab": [[]]}}'), "is no tokenizer"),
    ],
)
def test_damaged_sections_are_named(tmp_path: Path, kind: SectionKind, data: bytes, said: str) -> None:
    path = write(tmp_path / "m.litertlm", (kind, data))
    with pytest.raises(BundleError) as caught:
        inspect(path)
    assert said in str(caught.value)
    assert caught.value.where == str(path)


def test_a_model_that_is_cut_off(tmp_path: Path) -> None:
    data = model()
    for size in range(0, len(data), 97):
        (tmp_path / "m.tflite").write_bytes(data[:size].ljust(40, b"\0"))
        with pytest.raises(BundleError):
            inspect(tmp_path / "m.tflite")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole(tmp_path_factory.mktemp("good") / "m.litertlm")


@given(st.data())
def test_damage_anywhere_ends_as_summary_or_error(good: Path, data: st.DataObject) -> None:
    """Of header, metadata, tokenizer and graph; the model's weights, at its end, are only numbers."""
    container = read_container(good)
    weights = inspect(good).models[0].weight_bytes
    areas = [(8, container.header_end)] + [
        (s.begin, s.end - (weights if s is container.sections[2] else 0)) for s in container.sections
    ]
    path = good.with_name("damaged.litertlm")
    path.write_bytes(data.draw(damaged(good.read_bytes(), [*areas, areas[-1]])))
    try:
        json.dumps(inspect(path).to_json(), allow_nan=False).encode()
    except BundleError as error:
        assert str(path) in str(error)


def test_a_forged_model_cannot_make_endless_work(tmp_path: Path) -> None:
    """Very many subgraphs that are one and the same, with very many tensors that are one and the same."""
    many = 50_000
    subgraph = 56 + 4 * many
    tensor = subgraph + 12 + 4 * many
    empty = struct.pack("<iHH", -4, 4, 4)  # a table without fields; its layout lies right behind it
    body = b"".join(
        (
            struct.pack("<I4s", 40, b"TFL3"),
            struct.pack("<7H2x", 14, 12, 0, 0, 4, 0, 8),  # 8: layout of the root: fields 2 and 4
            struct.pack("<3H2x8x", 6, 8, 4),  # 24: layout of a subgraph: field 0
            struct.pack("<iII", 40 - 8, 8, tensor + 8 - 48),  # 40: the root
            struct.pack("<I", many)
            + b"".join(struct.pack("<I", subgraph - (56 + 4 * i)) for i in range(many)),
            struct.pack("<iI", subgraph - 24, 4),
            struct.pack("<I", many),
            b"".join(struct.pack("<I", tensor - (subgraph + 12 + 4 * i)) for i in range(many)),
            empty,
            struct.pack("<II", 1, 4) + empty,  # the one buffer
        )
    )
    path = write(tmp_path / "m.litertlm", (SectionKind.TFLITE_MODEL, body))
    with pytest.raises(BundleError, match="more than 400000 tables"):
        inspect(path)


def test_the_summary_does_not_depend_on_where_the_file_lies(tmp_path: Path) -> None:
    first, second = whole(tmp_path / "a.litertlm"), io.BytesIO(whole(tmp_path / "b.litertlm").read_bytes())
    assert first.read_bytes() == second.getvalue()
    assert dataclasses.replace(inspect(first), path=Path("x")) == dataclasses.replace(
        inspect(tmp_path / "b.litertlm"), path=Path("x")
    )
