package dev.edgekit.sample.screens

import androidx.compose.runtime.mutableStateListOf
import androidx.compose.runtime.saveable.SaverScope
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class BackStackTest {
    private val stack = BackStack(mutableStateListOf(Destination.TASK))

    @Test
    fun `back goes where one came from, and stays at the task`() {
        stack.open(Destination.BENCHMARK)
        stack.open(Destination.MODEL)
        assertEquals(Destination.BENCHMARK, stack.below)
        stack.back()
        assertEquals(Destination.BENCHMARK, stack.top)
        stack.back()
        stack.back()
        assertEquals(Destination.TASK, stack.top)
        assertNull(stack.below)
    }

    @Test
    fun `a screen lies in the stack once`() {
        stack.open(Destination.BENCHMARK)
        stack.open(Destination.MODEL)
        stack.open(Destination.BENCHMARK)
        assertEquals(Destination.BENCHMARK, stack.top)
        assertEquals(Destination.MODEL, stack.below)
    }

    @Test
    fun `the task is the bottom of the stack`() {
        stack.open(Destination.BENCHMARK)
        stack.open(Destination.TASK)
        assertNull(stack.below)
    }

    @Test
    fun `outlives the process`() {
        stack.open(Destination.SETTINGS)
        val saved = with(BackStack.Saver) { SaverScope { true }.save(stack) }
        assertEquals(Destination.SETTINGS, BackStack.Saver.restore(checkNotNull(saved))?.top)
    }
}
