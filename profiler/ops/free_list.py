"""Which operators are free, as they compute nothing? Copies move data all the same; views do not."""

from __future__ import annotations

from profiler.ops.registry import free
from profiler.records.trace import Signature, Tensor, tensors

VIEWS = """
    view view_as _unsafe_view _reshape_alias unflatten view_as_real view_as_complex real imag _conj conj _neg_view
    transpose t numpy_T mT mH adjoint swapaxes swapdims permute movedim moveaxis matrix_H
    expand expand_as broadcast_to broadcast_tensors squeeze unsqueeze slice select narrow split
    split_with_sizes chunk tensor_split hsplit vsplit dsplit unsafe_split unsafe_split_with_sizes unsafe_chunk unbind
    diagonal unfold as_strided set detach alias lift_fresh lift positive atleast_1d atleast_2d atleast_3d meshgrid
"""

REORDERINGS = "reshape reshape_as flatten ravel contiguous"

COPIES = """
    clone copy _to_copy _to_cpu _autocast_to_reduced_precision _autocast_to_full_precision cat concat
    concatenate stack hstack vstack dstack column_stack block_diag repeat repeat_interleave tile roll flip fliplr
    flipud rot90 tril triu diag diag_embed diagonal_scatter select_scatter slice_scatter as_strided_scatter one_hot
    combinations cartesian_prod complex unfold_copy permute_copy view_copy expand_copy slice_copy select_copy
    lift_fresh_copy transpose_copy squeeze_copy unsqueeze_copy im2col _pack_padded_sequence _pad_packed_sequence
    alias_copy as_strided_copy detach_copy diagonal_copy narrow_copy split_copy split_with_sizes_copy t_copy
    unbind_copy view_as_complex_copy view_as_real_copy _conj_copy _neg_view_copy _reshape_copy _reshape_alias_copy
    values_copy indices_copy _values_copy _indices_copy crow_indices_copy col_indices_copy ccol_indices_copy
    row_indices_copy _chunk_cat _foreach_clone _lazy_clone _stack _pin_memory to_mkldnn mkldnn_reorder_conv2d_weight
    mkldnn_reorder_conv3d_weight _mkldnn_reshape _mkldnn_transpose _unsafe_masked_index to_padded_tensor
    _jagged_to_padded_dense_forward _padded_dense_to_jagged_forward _nested_from_padded _nested_tensor_from_mask
    _nested_from_padded_tensor _nested_tensor_from_tensor_list _nested_get_values_copy _nested_view_from_buffer_copy
    _nested_view_from_jagged_copy
"""

PADDING = """
    pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
    replication_pad3d _pad_circular _pad_enum
"""

REARRANGEMENTS = "pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle"

REPETITIONS = """
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d max_unpool2d max_unpool3d
"""

# The gradient of a part: of a row, of a slice. The rest of the whole is zeros.
PARTS = "select_backward slice_backward diagonal_backward"

# A sparse tensor made of its parts, and each of them again.
SPARSE = """
    _sparse_coo_tensor_with_dims_and_tensors _indices _values indices values crow_indices col_indices ccol_indices
    row_indices sparse_compressed_tensor _coalesced _nested_view_from_buffer _nested_view_from_jagged _nested_get_values
    _nested_get_offsets _nested_get_lengths _nested_tensor_size _nested_tensor_strides _nested_tensor_storage_offsets
"""

# The same elements in another layout: those that are not zero are copied, and their places written down.
LAYOUTS = """
    _to_sparse _to_sparse_csr _to_sparse_csc _to_sparse_bsr _to_sparse_bsc _to_dense copy_sparse_to_sparse
    _convert_indices_from_coo_to_csr _convert_indices_from_csr_to_coo _spdiags sparse_mask _sparse_mask_projection
"""

SELECTIONS = "where masked_fill masked_scatter masked_scatter_backward"

EMPTIES = "empty empty_strided empty_permuted empty_like new_empty new_empty_strided resize resize_as"

FACTORIES = """
    zeros zeros_like new_zeros zero ones ones_like new_ones full full_like new_full fill fill_diagonal eye
    scalar_tensor tensor arange linspace logspace range tril_indices triu_indices _efficientzerotensor bartlett_window
    blackman_window hamming_window hann_window kaiser_window
"""

QUERIES = """
    size stride sym_size sym_stride sym_numel sym_storage_offset sym_is_contiguous numel dim storage_offset
    is_same_size is_contiguous is_floating_point is_complex is_nonzero is_pinned result_type can_cast promote_types
    item _local_scalar_dense _has_compatible_shallow_copy_type is_set_to _has_same_storage_numel _is_all_true
    _is_any_true is_coalesced _nnz sparse_dim dense_dim _dimI _dimV is_non_overlapping_and_dense is_strides_like_format
    _fused_sdp_choice _nested_get_ragged_idx _nested_get_min_seqlen _nested_get_max_seqlen _nested_get_jagged_dummy
    _use_cudnn_ctc_loss _use_miopen_ctc_loss element_size
"""

ASSERTIONS = """
    _assert_async _assert_scalar _assert_tensor_metadata _functional_assert_async _functional_assert_scalar
    sym_constrain_range sym_constrain_range_for_size _linalg_check_errors _print _functional_sym_constrain_range
    _functional_sym_constrain_range_for_size _validate_compressed_sparse_indices record_stream
"""


COPY = {"reads": True, "writes": True}
FILL = {"writes": True}


def _declare(reason: str, names: str, reads: bool = False, writes: bool = False) -> None:
    free(reason, *(f"aten.{name}" for name in names.split()), reads=reads, writes=writes)


def _reordered(signature: Signature) -> int:
    """What is copied, because another shape or layout needs the elements in another order in memory."""
    x, out = next(tensors(signature.args)), next(tensors(signature.output))
    if x.shape != out.shape:
        return out.size_bytes if out.is_contiguous and not x.is_contiguous else 0
    return out.size_bytes if _order(x) != _order(out) else 0


def _order(tensor: Tensor) -> list[int]:
    """The strides of dimensions longer than 1; none where they are row-major."""
    strides = () if tensor.is_contiguous else tensor.strides or ()
    return [stride for size, stride in zip(tensor.shape, strides, strict=False) if size > 1]


free("a note to torch's own profiler", "profiler._record_function_enter_new", "profiler._record_function_exit")
_declare("a view: the same data under another shape", VIEWS)
free(
    "the same data, or a copy where the elements are to be in another order",
    *(f"aten.{name}" for name in REORDERINGS.split()),
    copied=_reordered,
)
_declare("a copy: data moves", COPIES, **COPY)
_declare("padding: data moves", PADDING, **COPY)
_declare("a permutation of elements: data moves", REARRANGEMENTS, **COPY)
_declare("repeats or places elements: data moves", REPETITIONS, **COPY)
_declare("the gradient of a part, in a tensor of zeros: data moves", PARTS, **COPY)
_declare("the parts of a sparse or nested tensor under another name", SPARSE)
_declare("another layout of the same elements: data moves", LAYOUTS, **COPY)
_declare("chooses between elements: data moves", SELECTIONS, **COPY)
_declare("memory that nothing is written to yet", EMPTIES)
_declare("a new tensor of numbers that need no input", FACTORIES, **FILL)
_declare("asks about a tensor", QUERIES)
_declare("checks an assumption", ASSERTIONS)
free("asks about a tensor", "prim.device", "prim.dtype", "prim.layout")
