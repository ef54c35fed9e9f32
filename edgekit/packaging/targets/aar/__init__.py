"""`--to aar`: a bundle as a library for Gradle, with a typed class to ask it by.

What is written into it as Kotlin is `packaging.kotlin`; the library below it is `packaging.core`.
"""
