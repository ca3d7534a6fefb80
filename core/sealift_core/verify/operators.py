"""Which operators a bundle's graph may use: those that compute. What reads a file, loads a library or runs code of its own isn't among them.

ONNX's own two domains hold nothing else. ``com.microsoft`` does (``EPContext`` reads a file, ``Snpe`` runs a foreign library), so its operators are
listed by name: those that onnxruntime 1.20 to 1.31 has, without these two. Operators of any other domain are allowed only as functions that the
model itself defines; their bodies are made of allowed operators too.
"""

from __future__ import annotations

from typing import Final

#: Operators that are refused whatever their domain is: execution providers look at their name alone.
REFUSED: Final = frozenset({"EPContext", "Snpe", "ATen", "PythonOp", "PythonOpGrad", "TRT_Plugin"})
#: Domains in which every operator only computes. The last two are those of graphs that onnxruntime optimized and saved.
COMPUTE_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft.nchwc", "com.ms.internal.nhwc"})
MICROSOFT: Final = "com.microsoft"
MICROSOFT_OPERATORS: Final = frozenset(
    """
    Attention AttnLSTM BeamSearch BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu BifurcationDetector BitmaskBiasDropout BitmaskDropout
    BranchwiseRMSNorm CDist CausalConvWithState ComplexMul ComplexMulConj ConvTransposeWithDynamicPads CropAndResize DecoderAttention
    DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention DequantizeBFP DequantizeLinear DequantizeWithOrder DynamicQuantizeLSTM
    DynamicQuantizeMatMul DynamicSparseAttention DynamicTimeWarping EmbedLayerNormalization EngramGate ExpandDims FastGelu FusedConv FusedGemm
    FusedMatMul FusedMatMulActivation GatedAdd GatedDeltaNet GatedRMSNorm GatedRelativePositionBias GatherBlockQuantized GatherND Gelu
    GemmFastGelu GemmFloat8 GemmaRotaryEmbedding GreedySearch GridSample GroupNorm GroupQueryAttention HyperConnectionPostMix
    HyperConnectionPreMix Inverse Irfft IsAllFinite LinearAttention LinearAttentionGate LongformerAttention MRotaryEmbedding
    MatMulBlockQuantizedFp4Weight MatMulBlockQuantizedFp8Weight MatMulBnb4 MatMulFpQ4 MatMulInteger16 MatMulIntegerToFloat MatMulNBits
    MatMulNBitsMlp MatMulNBitsQkv MaxpoolWithMask MoE MulInteger MultiHeadAttention MurmurHash3 NGramHashMapping NGramRepeatBlock NhwcConv
    NhwcFusedConv NhwcMaxPool PackedAttention PackedMultiHeadAttention PackedSparseAttentionIndexer Pad PagedAttention QAttention
    QEmbedLayerNormalization QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul
    QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QMoE QOrderedAttention QOrderedGelu QOrderedLayerNormalization
    QOrderedLongformerAttention QOrderedMatMul QuantizeBFP QuantizeLinear QuantizeWithOrder QuickGelu Range ReduceSumInteger
    RelativePositionBias RemovePadding RestorePadding Rfft RotaryEmbedding SampleOp Sampling ScaledSiLU SkipGroupNorm SkipLayerNormalization
    SkipSimplifiedLayerNormalization SparseAttention SparseAttentionIndexer SparsePagedAttention SparseToDenseMatMul Tokenizer TorchEmbedding
    TransposeMatMul Trilu UnfoldTensor Unique VarlenCausalConvWithState VarlenNGramHashMapping WhisperBeamSearch WordConvEmbedding
    """.split()  # noqa: SIM905  (134 names in a list would take 134 lines)
)
#: A model can't define functions in domains that begin so: execution providers and libraries give them a meaning of their own.
RESERVED_PREFIXES: Final = ("ai.onnx", "com.microsoft", "com.ms.", "com.nvidia", "org.openvinotoolkit", "org.pytorch.aten", "trt.")


def is_allowed(domain: str, name: str) -> bool:
    """Tell whether a graph may use an operator that isn't a function of its own.

    Args:
        domain: The operator's domain; empty for ONNX's own.
        name: Its type, such as ``Conv``.

    Returns:
        True if the operator can only compute.
    """
    if name in REFUSED:
        return False
    return domain in COMPUTE_DOMAINS or (domain == MICROSOFT and name in MICROSOFT_OPERATORS)


def may_define(domain: str, name: str) -> bool:
    """Tell whether a model may define a function of this name.

    Args:
        domain: The function's domain.
        name: The function's name.

    Returns:
        True if no execution provider gives the name a meaning of its own, or if it is an operator that is allowed anyway.
    """
    return name not in REFUSED and (is_allowed(domain, name) or not domain.startswith(RESERVED_PREFIXES))
