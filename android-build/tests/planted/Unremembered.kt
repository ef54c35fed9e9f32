package dev.edgekit.sample

import androidx.compose.runtime.Composable
import androidx.compose.runtime.mutableStateOf

/** Makes a new state at every composition: the check that Compose's runtime brings must find it. */
@Composable
fun Unremembered() {
    val count = mutableStateOf(0)
    count.value
}
