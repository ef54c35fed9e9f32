"""What the app of the tests is called and holds."""

from __future__ import annotations

from edgekit.packaging.identity import Identity

IDENTITY = Identity("com.example.navigator", "Innstillinger 🎈 設定", "2.1-beta", 42)
MODEL = "navigator.litertlm"
BUNDLE_BYTES = (2 << 20) + 12_345
"""More than two chunks of a signature's digest, and no whole number of them."""
