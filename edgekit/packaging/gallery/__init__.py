"""A bundle in Google's AI Edge Gallery, without rebuilding that app.

settings    what the Gallery is told of sampling and length, and where its import dialog's defaults differ
allowlist   the entries of its list of models (allowlist.schema.json: what one may look like)
trial       the bundle on the Gallery's release of the engine
card        what the import card tells (edgekit.report.gallery writes it down)
write       everything into a directory
device      onto a device over adb, and open there

Written after the source of the Gallery 1.0.18; no phone with it was at hand.
"""

from edgekit.packaging.gallery.allowlist import TASK_TYPES
from edgekit.packaging.gallery.device import open_gallery, push_gallery
from edgekit.packaging.gallery.settings import GALLERY_RUNTIME
from edgekit.packaging.gallery.trial import Trial, try_on_gallery_runtime
from edgekit.packaging.gallery.write import GalleryOptions, write_gallery

__all__ = [
    "GALLERY_RUNTIME",
    "TASK_TYPES",
    "GalleryOptions",
    "Trial",
    "open_gallery",
    "push_gallery",
    "try_on_gallery_runtime",
    "write_gallery",
]
