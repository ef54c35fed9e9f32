package dev.edgekit.sample.screens

import dev.edgekit.core.answers.Answer
import dev.edgekit.sample.tasks.Turn
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Test

class ShownTurnsTest {
    @Test
    fun `a token more is one turn to read, however many there are`() {
        val read = mutableListOf<String>()
        val turns = ShownTurns { turn -> Answer.Plain(turn.answer).also { read += turn.answer } }
        val whole = List(10) { Turn("prompt $it", "answer $it") }
        val before = turns.of(whole + Turn("last", "a"))
        read.clear()
        val after = turns.of(whole + Turn("last", "ab"))
        assertEquals(listOf("ab"), read)
        assertSame(before.first(), after.first())
        assertEquals(Answer.Plain("ab"), after.last().answer)
    }
}
