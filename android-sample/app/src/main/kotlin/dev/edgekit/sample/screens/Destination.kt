package dev.edgekit.sample.screens

import androidx.annotation.DrawableRes
import androidx.annotation.StringRes
import androidx.compose.runtime.Composable
import androidx.compose.runtime.mutableStateListOf
import androidx.compose.runtime.saveable.listSaver
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.snapshots.SnapshotStateList
import dev.edgekit.sample.R

/** The screens that a ready model has. */
enum class Destination(@param:StringRes val title: Int, @param:DrawableRes val icon: Int) {
    TASK(R.string.task, R.drawable.ic_task),
    BENCHMARK(R.string.benchmark, R.drawable.ic_benchmark),
    SELF_TEST(R.string.self_test, R.drawable.ic_self_test),
    MODEL(R.string.model_card, R.drawable.ic_model),
    SETTINGS(R.string.settings, R.drawable.ic_settings),
}

/** Screens that lie on each other, the task always at the bottom. */
class BackStack(private val screens: SnapshotStateList<Destination>) {
    val top: Destination get() = screens.last()
    val below: Destination? get() = screens.getOrNull(screens.size - 2)

    /** Each screen lies in the stack once. */
    fun open(destination: Destination) {
        if (destination == top) return
        screens.remove(destination)
        if (destination == Destination.TASK) screens.clear()
        screens.add(destination)
    }

    fun back() {
        if (screens.size > 1) screens.removeAt(screens.lastIndex)
    }

    companion object {
        val Saver = listSaver<BackStack, String>(
            save = { stack -> stack.screens.map { it.name } },
            restore = { names -> BackStack(mutableStateListOf(*names.map(Destination::valueOf).toTypedArray())) },
        )
    }
}

@Composable
fun rememberBackStack(): BackStack =
    rememberSaveable(saver = BackStack.Saver) { BackStack(mutableStateListOf(Destination.TASK)) }
