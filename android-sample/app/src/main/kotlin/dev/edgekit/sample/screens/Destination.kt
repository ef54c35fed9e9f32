package dev.edgekit.sample.screens

import androidx.annotation.DrawableRes
import androidx.annotation.StringRes
import androidx.compose.runtime.saveable.listSaver
import dev.edgekit.core.ModelInfo
import dev.edgekit.sample.R

/**
 * The screens that a ready model has.
 *
 * @property ofTask it is about a task, of which each has its own
 * @property forDevelopers it is shown in developer mode only
 */
enum class Destination(
    @param:StringRes val title: Int,
    @param:DrawableRes val icon: Int,
    val ofTask: Boolean = true,
    val forDevelopers: Boolean = false,
) {
    HOME(R.string.tasks, R.drawable.ic_home, ofTask = false),
    TASK(R.string.task, R.drawable.ic_task),
    BENCHMARK(R.string.benchmark, R.drawable.ic_benchmark, forDevelopers = true),
    SELF_TEST(R.string.self_test, R.drawable.ic_self_test, forDevelopers = true),
    MODEL(R.string.model_card, R.drawable.ic_model),
    SETTINGS(R.string.settings, R.drawable.ic_settings, ofTask = false),
    ABOUT(R.string.about, R.drawable.ic_about, ofTask = false),
}

/**
 * Screens that lie on each other, each once. At the bottom is the only task, or the list of several; then its task lies
 * next.
 *
 * @property task what the task's screens are about; null while none is chosen
 */
data class BackStack(val screens: List<Destination> = emptyList(), val task: String? = null) {
    val top: Destination get() = screens.last()
    val below: Destination? get() = screens.getOrNull(screens.size - 2)

    /** The screens that can be opened. */
    val reachable: List<Destination>
        get() = Destination.entries.filter { if (it == Destination.HOME) it in screens else task != null || !it.ofTask }

    fun opening(destination: Destination): BackStack = when (destination) {
        top -> this
        Destination.HOME -> BackStack(listOf(Destination.HOME))
        Destination.TASK -> copy(screens = bottom)
        else -> copy(screens = screens - destination + destination)
    }

    fun openingTask(id: String) = BackStack(listOf(Destination.HOME, Destination.TASK), id)

    /** The only task, or [id] where it is one that can be used, or else the list to choose from. */
    fun openingFor(model: ModelInfo, id: String?): BackStack = when {
        model.tasks.size == 1 -> opening(Destination.TASK)
        model.usable.any { it.id == id } -> openingTask(id!!)
        else -> opening(Destination.HOME)
    }

    fun back(): BackStack = if (screens.size > 1) BackStack(screens.dropLast(1), task.takeIf { below != Destination.HOME }) else this

    /** What is left of this with the tasks of a model, which may be another than it was made with. */
    fun within(model: ModelInfo): BackStack {
        val isChoice = model.tasks.size > 1
        val known = if (isChoice) model.usable.map { it.id }.find { it == task } else model.tasks.single().id
        val upper = screens.filter { it !in BOTTOM && (known != null || !it.ofTask) }
        val lower = listOfNotNull(Destination.HOME.takeIf { isChoice }, Destination.TASK.takeIf { known != null })
        return BackStack(lower + upper, known)
    }

    private val bottom get() = screens.filter { it in BOTTOM }

    companion object {
        private val BOTTOM = listOf(Destination.HOME, Destination.TASK)

        val Saver = listSaver<BackStack, String>(
            save = { stack -> listOf(stack.task.orEmpty()) + stack.screens.map { it.name } },
            restore = { saved -> BackStack(saved.drop(1).map(Destination::valueOf), saved.first().ifEmpty { null }) },
        )
    }
}
