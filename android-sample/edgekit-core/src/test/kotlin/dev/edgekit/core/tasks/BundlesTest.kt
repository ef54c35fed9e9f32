package dev.edgekit.core.tasks

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.testing.only
import dev.edgekit.testing.sampleBundle
import dev.edgekit.testing.sampleCalling
import dev.edgekit.testing.severalTasks
import dev.edgekit.testing.task
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** Who says whether a task takes one turn, and what holds where nobody does. */
@RunWith(RobolectricTestRunner::class)
class BundlesTest {
    private val words = sampleBundle()
    private val formatted = sampleBundle(AnswerFormat.Regex("(spam|ham)"))
    private val calls = words.copy(manifest = words.manifest!!.copy(calling = sampleCalling()))

    @Test
    fun `where nobody says, answers under a format and calls take one turn`() {
        assertEquals(listOf(false, true, true), listOf(words, formatted, calls).map { it.isOneTurn(it.only) })
    }

    @Test
    fun `the manifest decides, and the task above it`() {
        for (bundle in listOf(words, formatted, calls)) for (said in listOf(true, false)) {
            val saying = bundle.copy(manifest = bundle.manifest!!.copy(oneTurn = said))
            assertEquals(said, saying.isOneTurn(saying.only))
            assertEquals(!said, saying.isOneTurn(saying.only.copy(oneTurn = !said)))
        }
    }

    @Test
    fun `an adapter decides for its tasks, whatever the model's manifest says`() {
        val several = severalTasks("mood")
        val usable = several.adapters.getValue("mood") as InstalledAdapter.Usable
        for (said in listOf(true, false)) {
            val bundle = several.copy(
                manifest = several.manifest!!.copy(oneTurn = !said),
                adapters = mapOf("mood" to usable.copy(manifest = usable.manifest.copy(oneTurn = said))),
            )
            assertEquals(said, bundle.isOneTurn(bundle.task("mood")!!))
        }
    }
}
