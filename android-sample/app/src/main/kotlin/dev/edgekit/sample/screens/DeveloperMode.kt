package dev.edgekit.sample.screens

import androidx.compose.runtime.compositionLocalOf

/** Whether figures are shown: tokens, speeds, memory, and how the next token is chosen. */
val LocalDeveloperMode = compositionLocalOf { false }
