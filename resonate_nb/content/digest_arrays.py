"""The canonical forms of arrays: numpy's, scipy's sparse ones and torch's tensors.

Nothing is imported here: whoever holds an array has imported its library. Contiguous arrays are read
where they lie, others in blocks, so that no copy of a large array is made.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from resonate_nb.content.digest_forms import Content, Form, Kind, Refused, reduced_form

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 22  # bytes of a non-contiguous array that are copied at a time
UFUNC_MODULES = ("numpy", "scipy.special")
PADDED = "gG"  # extended precision: some of its bytes mean nothing
# What scipy finds out about a sparse array while it works with it.
SPARSE_CACHE = frozenset({"_has_sorted_indices", "_has_canonical_format"})


def array_kind(cls: type) -> Kind | None:
    """Return what a class of an array library is to a digest; None for any other class."""
    roots = {base.__module__.partition(".")[0] for base in cls.__mro__}
    if "numpy" in roots:
        return _numpy_kind(cls, sys.modules["numpy"])
    if "scipy" in roots and hasattr(cls, "tocoo"):
        return Kind(_sparse_form, identity=True)
    if "torch" in roots and issubclass(cls, sys.modules["torch"].Tensor):
        return Kind(_tensor_form, identity=True)
    return None


def _numpy_kind(cls: type, numpy: Any) -> Kind | None:
    if issubclass(cls, numpy.ma.MaskedArray):
        return Kind(_masked_form, identity=True)
    if issubclass(cls, numpy.ndarray):
        return Kind(_array_form, identity=True)
    if issubclass(cls, numpy.generic):
        return Kind(_scalar_form, identity=False)
    if issubclass(cls, numpy.dtype):
        return Kind(lambda dtype: Form("dtype", (_dtype_parts(dtype),)), identity=False)
    if issubclass(cls, numpy.ufunc):
        return Kind(_ufunc_form, identity=False)
    if issubclass(cls, numpy.random.Generator):
        return Kind(_generator_form, identity=True)
    if issubclass(cls, numpy.random.BitGenerator):
        return Kind(_bit_generator_form, identity=True)
    if issubclass(cls, numpy.random.RandomState):
        return Kind(_random_state_form, identity=True)
    return None


def plain_array_form(array: Any) -> Form:
    """Return the form of an array as numpy's own class has it, whatever the array's class is."""
    return Form("array", (_dtype_parts(array.dtype), array.shape, *_contents(array)), ("", ".shape", ""))


def _array_form(array: Any) -> Form:
    numpy = sys.modules["numpy"]
    if type(array) is numpy.ndarray:
        return plain_array_form(array)
    # A memory map's attributes are about its file.
    attributes = None if isinstance(array, numpy.memmap) else getattr(array, "__dict__", None)
    parts = (type(array), plain_array_form(array.view(numpy.ndarray)), attributes)
    return Form("array subclass", parts)


def _masked_form(array: Any) -> Form:
    numpy = sys.modules["numpy"]
    values, mask = array.view(numpy.ndarray), numpy.ma.getmaskarray(array)
    fill = array.view().fill_value  # to look at the array's own would set it
    parts = (type(array), plain_array_form(values), plain_array_form(mask), fill, bool(array.hardmask))
    return Form("masked array", parts)


def _scalar_form(scalar: Any) -> Form:
    return Form("scalar", plain_array_form(sys.modules["numpy"].asarray(scalar)).parts)


def _dtype_parts(dtype: Any) -> object:
    """Return a dtype as text, or as nested tuples if it has fields."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return (_dtype_parts(base), shape)
    if dtype.names is not None:
        fields = tuple((name, _dtype_parts(dtype[name]), dtype.fields[name][1]) for name in dtype.names)
        return (dtype.type.__name__, dtype.itemsize, fields)
    return repr(dtype) if dtype.kind == "T" else dtype.str


def _contents(array: Any) -> tuple[object, ...]:
    """Return what an array holds: bytes in C order where bytes are the content, else its elements."""
    dtype = array.dtype
    if dtype.names is not None:  # between the fields may lie bytes that mean nothing
        return tuple(plain_array_form(array[name]) for name in dtype.names)
    if dtype.kind in "OT":
        return (tuple(array.reshape(-1).tolist()),)
    if dtype.char in PADDED:
        return (tuple(map(str, array.reshape(-1))),)
    return (Content(array.nbytes, _blocks(array)),)


def _blocks(array: Any) -> Iterator[Any]:
    numpy = sys.modules["numpy"]
    if array.nbytes == 0:
        return
    if array.flags.c_contiguous:
        yield array.reshape(-1).view(numpy.uint8)
        return
    rows = max(1, BLOCK * len(array) // array.nbytes)
    for start in range(0, len(array), rows):
        yield numpy.ascontiguousarray(array[start : start + rows]).reshape(-1).view(numpy.uint8)


def _ufunc_form(function: Any) -> Form:
    # A ufunc has a name, but no module; one made by `frompyfunc` has nothing that tells it from another.
    name = function.__name__
    for module in UFUNC_MODULES:
        if getattr(sys.modules.get(module), name, None) is function:
            return Form("ufunc", (module, name))
    raise Refused("it is no function of numpy or scipy: pass the function that it was made from")


def _generator_form(generator: Any) -> Form:
    return Form("generator", (type(generator), generator.bit_generator), ("", ".bit_generator"))


def _bit_generator_form(generator: Any) -> Form:
    # The seed sequence decides what `spawn` gives.
    state, seed = generator.state, getattr(generator, "seed_seq", None)
    seed_state = getattr(seed, "state", None)
    return Form("bit generator", (type(generator).__name__, state, seed_state))


def _random_state_form(generator: Any) -> Form:
    return Form("random state", (type(generator), generator.get_state(legacy=False)))


def _sparse_form(array: Any) -> Form:
    names = [name for name in vars(array) if name not in SPARSE_CACHE]
    parts = (type(array), ascii(names), *(vars(array)[name] for name in names))
    return Form("sparse", parts, ("", "", *names))


def _tensor_form(tensor: Any) -> Form:
    torch = sys.modules["torch"]
    try:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        content = plain.reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, TypeError, NotImplementedError):
        return reduced_form(tensor)
    parts = (type(tensor), str(tensor.dtype), tuple(tensor.shape), tensor.requires_grad)
    return Form("tensor", (*parts, Content(content.nbytes, (content,))))
