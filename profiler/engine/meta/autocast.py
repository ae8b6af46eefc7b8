"""How does autocast act on the meta device, where torch has none?

Torch's own autocast acts on tensors of one kind of device: each such device has a dispatch key, and an operator that is
called with that key on runs a kernel which casts its arguments and calls the operator again. Meta tensors have no such
key. One that no device on this machine uses is lent to them, for this thread and for the length of a run, with kernels
that cast as torch's do. The dispatcher then calls them where it would call the others: in front of autograd, which
records the casts, and for whatever calls the operator, from Python or from inside a composite one.

The tables below say which operators are cast, by device. A float32 weight that wants a gradient is cast once, and the
copy lives until the outermost region ends (`cached_cast`, ATen/autocast_mode.cpp).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor

from profiler.engine.meta.named import operator
from profiler.engine.meta.operators import each_tensor
from profiler.engine.meta.shapes import inside_autocast

# Operators of `aten`, by policy, from ATen/autocast_mode.cpp (CPU) and ATen/autocast_mode.h (CUDA); the same lists as
# in "Autocast Op Reference" of torch's documentation, where they are under their Python names.
LOWER, FLOAT, FLOAT_RESULT, FLOAT_NORM, PROMOTE, BANNED = "lower", "float", "float result", "norm", "promote", "banned"

CPU: Mapping[str, str] = {
    LOWER: """
        conv1d conv1d.padding conv2d conv2d.padding conv3d conv3d.padding bmm mm linalg_vecdot baddbmm addmm
        _addmm_activation addbmm linear _convolution.deprecated matmul conv_tbc mkldnn_rnn_layer conv_transpose1d
        conv_transpose2d.input conv_transpose3d.input prelu scaled_dot_product_attention _native_multi_head_attention
    """,
    FLOAT: """
        avg_pool3d binary_cross_entropy grid_sampler polar prod prod.dim_int quantile quantile.scalar nanquantile
        nanquantile.scalar stft stft.center cdist grid_sampler_2d _grid_sampler_2d_cpu_fallback grid_sampler_3d trace
        view_as_complex cholesky_inverse cholesky_solve inverse lu_solve orgqr ormqr pinverse max_pool3d max_unpool2d
        max_unpool3d adaptive_avg_pool3d reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
        replication_pad3d mse_loss cosine_embedding_loss nll_loss nll_loss2d hinge_embedding_loss poisson_nll_loss
        smooth_l1_loss cross_entropy_loss l1_loss huber_loss margin_ranking_loss soft_margin_loss triplet_margin_loss
        multi_margin_loss ctc_loss.IntList ctc_loss.Tensor kl_div multilabel_margin_loss
        binary_cross_entropy_with_logits fft_fft fft_ifft fft_fft2 fft_ifft2 fft_fftn fft_ifftn fft_rfft fft_irfft
        fft_rfft2 fft_irfft2 fft_rfftn fft_irfftn fft_hfft fft_ihfft linalg_cond linalg_cond.p_str linalg_matrix_rank
        linalg_matrix_rank.tol_tensor linalg_matrix_rank.atol_rtol_tensor linalg_matrix_rank.atol_rtol_float
        linalg_matrix_sqrth linalg_solve linalg_cholesky linalg_svdvals linalg_eigvals linalg_eigvalsh linalg_inv
        linalg_householder_product linalg_tensorinv linalg_tensorsolve fake_quantize_per_tensor_affine geqrf
        _lu_with_info linalg_qr svd triangular_solve fractional_max_pool2d fractional_max_pool3d adaptive_max_pool3d
        multilabel_margin_loss_forward linalg_cholesky_ex linalg_svd linalg_eig linalg_eigh linalg_lstsq linalg_inv_ex
    """,
    PROMOTE: "stack cat index_copy",
}

CUDA: Mapping[str, str] = {
    LOWER: """
        _convolution.deprecated _convolution conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d.input
        conv_transpose3d.input convolution prelu addmm addmv addr matmul einsum mm mv linalg_vecdot linear addbmm
        baddbmm bmm chain_matmul linalg_multi_dot _thnn_fused_lstm_cell _thnn_fused_gru_cell lstm_cell gru_cell
        rnn_tanh_cell rnn_relu_cell _scaled_dot_product_flash_attention scaled_dot_product_attention
    """,
    FLOAT: """
        acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow.Tensor_Scalar
        pow.Tensor_Tensor pow.Scalar softplus layer_norm native_layer_norm rms_norm group_norm frobenius_norm.dim
        nuclear_norm nuclear_norm.dim cosine_similarity poisson_nll_loss cosine_embedding_loss nll_loss nll_loss2d
        hinge_embedding_loss kl_div l1_loss smooth_l1_loss huber_loss mse_loss margin_ranking_loss
        multilabel_margin_loss soft_margin_loss triplet_margin_loss multi_margin_loss
        binary_cross_entropy_with_logits dist pdist cdist renorm logsumexp linalg_matrix_sqrth upsample_nearest1d
        _upsample_nearest_exact1d upsample_nearest2d _upsample_nearest_exact2d upsample_nearest3d
        _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d _upsample_bilinear2d_aa upsample_trilinear3d
        upsample_bicubic2d _upsample_bicubic2d_aa
    """,
    FLOAT_RESULT: """
        prod prod.dim_int softmax.int log_softmax.int cumprod cumsum linalg_vector_norm linalg_matrix_norm
        linalg_matrix_norm.str_ord sum sum.dim_IntList
    """,
    FLOAT_NORM: "norm.Scalar norm.ScalarOpt_dim",
    PROMOTE: """
        addcdiv addcmul atan2 bilinear cross dot vdot grid_sampler index_put tensordot scatter_add
    """,
    BANNED: "binary_cross_entropy",
}

POLICIES: Mapping[str, Mapping[str, str]] = {"cpu": CPU, "cuda": CUDA}

_LENT: Any = getattr(torch._C.DispatchKey, "AutocastIPU")  # noqa: B009  torch's stubs do not name it
_ALONE = torch._C.DispatchKeySet(_LENT)
_NEVER_INSIDE = _ALONE.add(torch._C.DispatchKey.AutocastCPU)  # a cast operator casts no more


class Casts:
    """How arguments are cast, by the policies of one kind of device, while its autocast is enabled."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._copies: dict[int, tuple[Tensor, Tensor]] = {}  # of weights; they stay alive, so that ids stay theirs

    def kernels(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """For each operator that autocast knows, what is called in its place."""
        for policy, names in POLICIES[self._device].items():
            for name in names.split():
                op = operator(f"aten.{name}" if "." in name else f"aten.{name}.default")
                if op is not None:
                    yield name, self._kernel(op, policy)

    def forget(self) -> None:
        """Drop the copies of weights, as torch does at the end of a region."""
        self._copies.clear()

    def _kernel(self, op: Any, policy: str) -> Callable[..., Any]:
        casts: dict[str, Callable[..., Any]] = {
            LOWER: self._lowered,
            PROMOTE: self._promoted,
            FLOAT_RESULT: self._with_float_result,
        }
        cast: Callable[..., Any] = casts.get(policy, self._floated)
        positions = [argument.name for argument in op._schema.arguments]

        def called(*args: Any, **kwargs: Any) -> Any:
            if not torch.is_autocast_enabled(self._device):
                if self._copies and not inside_autocast():
                    self.forget()
                with torch._C._ExcludeDispatchKeyGuard(_ALONE):
                    return op(*args, **kwargs)
            with torch._C._ExcludeDispatchKeyGuard(_NEVER_INSIDE):
                if policy == BANNED:
                    raise RuntimeError(f"{op} is unsafe to autocast, says torch; use its form with logits")
                if policy == FLOAT_NORM:
                    return _float_norm(op, args, kwargs)
                args, kwargs = cast(args, kwargs, positions)
                return op(*args, **kwargs)

        return called

    def _lowered(self, args: Any, kwargs: Any, _: Any) -> Any:
        dtype = torch.get_autocast_dtype(self._device)
        return self._cast_all(args, kwargs, dtype)

    def _floated(self, args: Any, kwargs: Any, _: Any) -> Any:
        return self._cast_all(args, kwargs, torch.float32)

    def _promoted(self, args: Any, kwargs: Any, _: Any) -> Any:
        """To the widest among them; float64 is left alone."""
        dtypes = {tensor.dtype for tensor in each_tensor((args, list(kwargs.values()))) if _is_castable(tensor)}
        dtype = torch.get_autocast_dtype(self._device)
        if dtypes - {dtype}:
            dtype = torch.float32
        return self._cast_all(args, kwargs, dtype)

    def _with_float_result(self, args: Any, kwargs: Any, positions: Sequence[str]) -> Any:
        """The operator itself is told to compute in float32, unless the caller has named a dtype."""
        first = args[0] if args else next(iter(kwargs.values()))
        place = positions.index("dtype")
        named = kwargs.get("dtype") if len(args) <= place else args[place]
        if not _is_castable(first) or named is not None:
            return args, kwargs
        return args[:place], {**kwargs, "dtype": torch.float32}

    def _cast_all(self, args: Any, kwargs: Any, dtype: torch.dtype) -> Any:
        """The last first, as torch's builds evaluate arguments: the backward pass goes by that order."""
        named = {name: self._cast(value, dtype) for name, value in reversed(kwargs.items())}
        return [self._cast(value, dtype) for value in reversed(args)][::-1], named

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if isinstance(value, Tensor):
            return self._cast_tensor(value, dtype) if _is_castable(value) and value.dtype is not dtype else value
        if isinstance(value, list):
            return [self._cast(item, dtype) for item in value]
        return value

    def _cast_tensor(self, tensor: Tensor, dtype: torch.dtype) -> Tensor:
        if not (self._has_cached_copy(tensor) and dtype is torch.get_autocast_dtype(self._device)):
            return tensor.to(dtype)
        if id(tensor) not in self._copies:
            self._copies[id(tensor)] = tensor, tensor.to(dtype)
        return self._copies[id(tensor)][1]

    def _has_cached_copy(self, tensor: Tensor) -> bool:
        is_weight = tensor.dtype is torch.float32 and tensor.requires_grad and tensor.is_leaf
        return is_weight and not tensor._is_view() and torch.is_autocast_cache_enabled()


@contextmanager
def autocast_on_meta(amp: str | None, device: str = "cpu") -> Iterator[Callable[[], Any]]:
    """For this thread, meta tensors take part in the device's autocast. Gives the region that casts to a dtype."""
    if amp is None:
        yield _no_region
        return
    with lent_to_meta(device) as casts:
        yield lambda: _region(casts, device, getattr(torch, amp))


@contextmanager
def lent_to_meta(device: str) -> Iterator[Casts]:
    """For this thread, meta tensors are cast wherever the device's autocast is on, be it by the model's own code.

    The kernels stay until the end, as a region may be entered again by what is computed a second time.
    """
    casts = Casts(device)
    every, aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    try:
        every.fallback(torch.library.fallthrough_kernel, _LENT.name)
        for name, kernel in casts.kernels():
            aten.impl(name, kernel, _LENT.name)
        with _lent():
            yield casts
    finally:
        casts.forget()
        aten._destroy()
        every._destroy()


class OwnRegion(Exception):
    """The model's code turns autocast on, and nothing casts meta tensors yet. `device` is the kind it is on for."""

    def __init__(self, device: str) -> None:
        super().__init__(f"autocast on {device}")
        self.device = device


@contextmanager
def noticing_regions(notice: Callable[[OwnRegion], None]) -> Iterator[None]:
    """Raise `OwnRegion`, and tell of it, where this thread enters a region that casts."""
    entered, thread = torch.autocast.__enter__, get_ident()

    def enter(region: Any) -> Any:
        result = entered(region)  # type: ignore[no-untyped-call]
        if get_ident() == thread and region._enabled and region.device in POLICIES:
            region.__exit__(None, None, None)
            notice(raised := OwnRegion(region.device))
            raise raised
        return result

    torch.autocast.__enter__ = enter  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.autocast.__enter__ = entered  # type: ignore[method-assign]


@contextmanager
def _no_region() -> Iterator[None]:
    yield


@contextmanager
def _region(casts: Casts, device: str, dtype: torch.dtype) -> Iterator[None]:
    """As `torch.autocast`, which does nothing for a device that the machine does not have."""
    was = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    torch.set_autocast_enabled(device, True)
    torch.set_autocast_dtype(device, dtype)
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
            casts.forget()
        torch.set_autocast_enabled(device, was[0])
        torch.set_autocast_dtype(device, was[1])


@contextmanager
def _lent() -> Iterator[None]:
    excluded, included = torch._C._dispatch_tls_is_dispatch_key_excluded(_LENT), _is_included()
    torch._C._dispatch_tls_set_dispatch_key_excluded(_LENT, False)
    torch._C._dispatch_tls_set_dispatch_key_included(_LENT, True)
    try:
        yield
    finally:
        torch._C._dispatch_tls_set_dispatch_key_included(_LENT, included)
        torch._C._dispatch_tls_set_dispatch_key_excluded(_LENT, excluded)


def _is_included() -> bool:
    return bool(torch._C._dispatch_tls_is_dispatch_key_included(_LENT))


def _is_castable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype is not torch.float64


def _float_norm(op: Any, args: Any, kwargs: Any) -> Any:
    """`norm` has forms of their own for a dtype."""
    source = args[0]
    if not _is_castable(source):
        return op(*args, **kwargs)
    if op is torch.ops.aten.norm.Scalar:
        return torch.ops.aten.norm.ScalarOpt_dtype(*args, **kwargs, dtype=torch.float32)
    return torch.ops.aten.norm.ScalarOpt_dim_dtype(*args, **kwargs, dtype=torch.float32)
