package dev.edgekit.sample.screens

import androidx.compose.runtime.saveable.SaverScope
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.core.infoOf
import dev.edgekit.sample.screens.Destination.ABOUT
import dev.edgekit.sample.screens.Destination.BENCHMARK
import dev.edgekit.sample.screens.Destination.HOME
import dev.edgekit.sample.screens.Destination.MODEL
import dev.edgekit.sample.screens.Destination.SELF_TEST
import dev.edgekit.sample.screens.Destination.SETTINGS
import dev.edgekit.sample.screens.Destination.TASK
import dev.edgekit.testing.only
import dev.edgekit.testing.sampleBundle
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class BackStackTest {
    private val sample = sampleBundle()
    private val single = infoOf(sample)
    private val several = withTasks("a", "b")
    private val stack = BackStack().within(single)

    private fun withTasks(vararg ids: String, adapters: Map<String, InstalledAdapter> = emptyMap()) =
        infoOf(sample.copy(tasks = ids.map { sample.only.copy(id = it, adapter = it) }, adapters = adapters))

    @Test
    fun `back goes where one came from, and stays at the task`() {
        val tools = stack.opening(BENCHMARK).opening(MODEL)
        assertEquals(BENCHMARK, tools.below)
        assertEquals(BENCHMARK, tools.back().top)
        assertEquals(stack, tools.back().back().back())
        assertNull(stack.below)
    }

    @Test
    fun `a screen lies in the stack once`() {
        val again = stack.opening(BENCHMARK).opening(MODEL).opening(BENCHMARK)
        assertEquals(listOf(TASK, MODEL, BENCHMARK), again.screens)
    }

    @Test
    fun `the only task is the bottom of the stack`() {
        assertEquals(listOf(TASK), stack.opening(BENCHMARK).opening(TASK).screens)
        assertEquals(sample.only.id, stack.task)
        assertEquals(listOf(TASK, BENCHMARK, SELF_TEST, MODEL, SETTINGS, ABOUT), stack.reachable)
    }

    @Test
    fun `several tasks begin with their list, and back from a task goes there`() {
        val home = BackStack().within(several)
        assertEquals(listOf(HOME), home.screens)
        assertEquals(listOf(HOME, SETTINGS, ABOUT), home.reachable)
        val task = home.openingTask("b")
        assertEquals(listOf(HOME, TASK), task.screens)
        assertEquals("b", task.opening(MODEL).back().task)
        assertEquals(home, task.back())
        assertEquals(home, task.opening(BENCHMARK).opening(HOME))
        assertEquals(listOf(HOME, TASK), task.opening(BENCHMARK).opening(TASK).screens)
    }

    @Test
    fun `another bundle leaves only what it has`() {
        val deep = BackStack().within(several).openingTask("b").opening(MODEL).opening(SETTINGS)
        assertEquals(deep, deep.within(several))
        assertEquals(BackStack(listOf(HOME, SETTINGS)), deep.within(withTasks("a2", "b2")))
        assertEquals(BackStack(listOf(TASK, MODEL, SETTINGS), sample.only.id), deep.within(single))
        assertEquals(BackStack(listOf(HOME, SETTINGS)), stack.opening(MODEL).opening(SETTINGS).within(several))
    }

    @Test
    fun `a task whose adapter was refused is not gone on with`() {
        val refused = withTasks("a", "b", adapters = mapOf("b" to InstalledAdapter.Refused(BundleFailure.Missing("b"))))
        assertEquals(BackStack(listOf(HOME)), BackStack().within(several).openingTask("b").within(refused))
    }

    @Test
    fun `outlives the process`() {
        for (kept in listOf(stack.opening(SETTINGS), BackStack().within(several), BackStack().within(several).openingTask("a"))) {
            val saved = with(BackStack.Saver) { SaverScope { true }.save(kept) }
            assertEquals(kept, BackStack.Saver.restore(checkNotNull(saved)))
        }
    }
}
