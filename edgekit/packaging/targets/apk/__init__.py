"""An installable, signed APK without an Android SDK, Gradle or Java.

identity    what an app is called, and what Android takes for that
keys        the key it is signed with (der: finding it in a keystore)
assemble    putting the app together; begins with base, the prebuilt sample app
axml        Android's binary XML (manifest, resources: what is changed in the base)
string_pool the texts of such a file
icon        a picture as the base's launcher icon
archive     ZIP archives, aligned and reproducible (output: a file that appears whole)
digest      the digest that signatures protect
block       where signatures lie in an APK
signing     APK Signature Schemes v2 and v3 (verify: checking them)
install     onto a device, over adb
"""

from edgekit.packaging.identity import Identity
from edgekit.packaging.targets.apk.assemble import (
    ASSETS,
    DEFAULT_ABIS,
    ApkOptions,
    ApkResult,
    read_apk,
    write_apk,
)
from edgekit.packaging.targets.apk.install import install_apk
from edgekit.packaging.targets.apk.keys import (
    PASSWORD_VARIABLE,
    SigningKey,
    debug_key,
    find_password,
    open_keystore,
)
from edgekit.packaging.targets.apk.verify import verify_apk

__all__ = [
    "ASSETS",
    "DEFAULT_ABIS",
    "PASSWORD_VARIABLE",
    "ApkOptions",
    "ApkResult",
    "Identity",
    "SigningKey",
    "debug_key",
    "find_password",
    "install_apk",
    "open_keystore",
    "read_apk",
    "verify_apk",
    "write_apk",
]
