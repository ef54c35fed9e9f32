"""An installable, signed APK without an Android SDK, Gradle or Java.

target      the options, and what packaging calls
keys        the key it is signed with (der: finding it in a keystore)
assemble    putting the app together; begins with base, the prebuilt sample app
axml        Android's binary XML (manifest, resources: what is changed in the base)
string_pool the texts of such a file
archive     ZIP archives, aligned and reproducible (output: a file that appears whole)
digest      the digest that signatures protect
block       where signatures lie in an APK
signing     APK Signature Schemes v2 and v3 (verify: checking them)
install     onto a device, over adb
"""
