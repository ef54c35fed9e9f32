package dev.edgekit.core

import org.junit.Assert.assertThrows
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Each mark is a process of its own; one that is not ended is a process that died. */
class StartMarkTest {
    @get:Rule
    val files = TemporaryFolder()

    private fun begin(wasClosed: Boolean?, anyway: Boolean = false) = mark(wasClosed).also { it.begin(anyway) }

    private fun mark(wasClosed: Boolean?) = StartMark(files.root, "model") { wasClosed }

    private fun refused(wasClosed: Boolean?) {
        assertThrows(EngineFailure.Died::class.java) { begin(wasClosed) }
    }

    @Test
    fun `a start that ends leaves nothing`() = repeat(5) { begin(wasClosed = null).end() }

    @Test
    fun `a crash that the system tells of is enough`() {
        begin(wasClosed = null)
        refused(wasClosed = false)
    }

    @Test
    fun `what the system does not tell of takes two in a row`() {
        begin(wasClosed = null)
        begin(wasClosed = null)
        refused(wasClosed = null)
    }

    @Test
    fun `whoever swipes the app away may do so as often as they like`() = repeat(5) { begin(wasClosed = true) }

    @Test
    fun `a model stays refused until it is wanted anyway`() {
        begin(wasClosed = null)
        refused(wasClosed = false)
        refused(wasClosed = true)
        begin(wasClosed = true, anyway = true).end()
        begin(wasClosed = null).end()
    }
}
