"""The canonical forms of pandas objects: frames, series, indexes, their arrays and their scalars.

What counts is what pandas shows: columns one by one, whatever blocks they lie in; text by its characters,
whichever backend holds it, since the default backend depends on the packages that are installed.
"""

from __future__ import annotations

import sys
from typing import Any

from resonate_nb.content.digest_arrays import plain_array_form
from resonate_nb.content.digest_forms import Form, Kind, reduced_form


def frame_kind(cls: type) -> Kind | None:
    """Return what a class of pandas is to a digest; None for any other class."""
    if not any(base.__module__.partition(".")[0] == "pandas" for base in cls.__mro__):
        return None
    pandas: Any = sys.modules["pandas"]
    if issubclass(cls, pandas.DataFrame):
        return Kind(_frame_form, identity=True)
    if issubclass(cls, pandas.Series):
        return Kind(_series_form, identity=True)
    if issubclass(cls, pandas.Index):
        return Kind(_index_form, identity=False)
    if issubclass(cls, pandas.api.extensions.ExtensionArray):
        return Kind(_extension_form, identity=True)
    if issubclass(cls, pandas.api.extensions.ExtensionDtype):
        return Kind(_dtype_form, identity=False)
    for scalar, form_of in _scalar_forms(pandas).items():
        if issubclass(cls, scalar):
            return Kind(form_of, identity=False)
    return None


def _scalar_forms(pandas: Any) -> dict[type, Any]:
    return {
        type(pandas.NaT): lambda _: Form("NaT", ()),
        type(pandas.NA): lambda _: Form("NA", ()),
        pandas.Timestamp: lambda value: Form("Timestamp", (value.asm8, str(value.tz), value.fold)),
        pandas.Timedelta: lambda value: Form("Timedelta", (value.asm8,)),
        pandas.Period: lambda value: Form("Period", (value.ordinal, value.freqstr)),
        pandas.Interval: lambda value: Form("Interval", (value.left, value.right, value.closed)),
    }


def _frame_form(frame: Any) -> Form:
    labels = list(frame.columns)
    columns = [_array_form(frame.iloc[:, place].array) for place in range(len(labels))]
    parts = (_own_class(frame, "DataFrame"), *_attributes(frame), frame.index, frame.columns, *columns)
    steps = ("", "", ".attrs", ".index", ".columns", *(f"[{label!r:.60}]" for label in labels))
    return Form("DataFrame", parts, steps)


def _series_form(series: Any) -> Form:
    parts = (_own_class(series, "Series"), *_attributes(series), series.name, series.index)
    steps = ("", "", ".attrs", ".name", ".index", "")
    return Form("Series", (*parts, _array_form(series.array)), steps)


def _own_class(value: Any, name: str) -> type | None:
    """Return the class of a value if it isn't pandas' own, which the kind of the form says already."""
    return None if type(value) is getattr(sys.modules["pandas"], name) else type(value)


def _attributes(value: Any) -> tuple[object, object]:
    own = {name: getattr(value, name, None) for name in value._metadata if name != "_name"}  # noqa: SLF001
    return (value.flags.allows_duplicate_labels, *own.items()), dict(value.attrs)


def _index_form(index: Any) -> Form:
    pandas: Any = sys.modules["pandas"]
    names = tuple(index.names)
    if isinstance(index, pandas.RangeIndex):
        return Form("RangeIndex", (names, index.start, index.stop, index.step))
    if isinstance(index, pandas.MultiIndex):
        levels = [_array_form(index.get_level_values(place).array) for place in range(index.nlevels)]
        return Form("MultiIndex", (names, *levels))
    parts = (type(index).__name__, names, getattr(index, "freqstr", None), _array_form(index.array))
    return Form("Index", parts, ("", ".names"))


def _extension_form(array: Any) -> Form:
    return Form("extension array", (_array_form(array),), ("",))


def _array_form(array: Any) -> Form:
    """Return the form of what a column or an index holds."""
    pandas: Any = sys.modules["pandas"]
    dtype: Any = array.dtype
    if isinstance(dtype, pandas.StringDtype):  # first, since its arrays are of other families, too
        texts = tuple(array.to_numpy(dtype=object, na_value=None).tolist())
        return Form("texts", (getattr(dtype, "na_value", pandas.NA) is pandas.NA, texts))
    if isinstance(array, pandas.arrays.NumpyExtensionArray):
        return plain_array_form(array.to_numpy())
    if isinstance(array, pandas.Categorical):
        codes = plain_array_form(array.codes)
        return Form("categories", (codes, _index_form(array.categories), array.ordered))
    if hasattr(array, "asi8"):  # moments, spans and periods, counted in their unit
        return Form("times", (str(dtype), plain_array_form(array.asi8)))
    if isinstance(array, pandas.arrays.IntervalArray):
        return Form("intervals", (_index_form(array.left), _index_form(array.right), array.closed))
    if hasattr(array, "_mask"):
        return _nullable_form(array)
    if isinstance(array, pandas.arrays.SparseArray):
        places = array.sp_index.to_int_index().indices
        values = (plain_array_form(array.sp_values), plain_array_form(places), array.fill_value)
        return Form("sparse array", (str(dtype), len(array), *values))
    if isinstance(array, pandas.arrays.ArrowExtensionArray):
        return Form("arrow", (str(dtype), tuple(array.to_numpy(dtype=object, na_value=None).tolist())))
    return reduced_form(array)


def _nullable_form(array: Any) -> Form:
    # What lies under the mask is whatever was there before.
    values, mask = array._data, array._mask  # noqa: SLF001
    if mask.any():
        values = values.copy()
        values[mask] = 0
    return Form("nullable", (str(array.dtype), plain_array_form(values), plain_array_form(mask)))


def _dtype_form(dtype: Any) -> Form:
    pandas: Any = sys.modules["pandas"]
    if isinstance(dtype, pandas.CategoricalDtype):
        return Form("CategoricalDtype", (dtype.categories, dtype.ordered))
    if isinstance(dtype, pandas.StringDtype):
        return Form("StringDtype", (getattr(dtype, "na_value", pandas.NA) is pandas.NA,))
    return Form("extension dtype", (type(dtype).__name__, str(dtype)))
