package dev.edgekit.core

/** What computes. */
public enum class Backend { CPU, GPU }
