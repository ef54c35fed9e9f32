package dev.edgekit.core

import org.junit.Assert.assertEquals
import org.junit.Test

class AnswerFormatTest {
    @Test
    fun `a pattern that lists labels tells them`() {
        val labels = listOf("calm", "very angry")
        for (pattern in listOf("(calm|very angry)", "(?:calm|very angry)", "calm|very angry")) {
            assertEquals(labels, AnswerFormat.Regex(pattern).labels)
        }
    }

    @Test
    fun `any other pattern has none`() {
        for (pattern in listOf("[a-z]+", "(a|b)+", "(a|)", "a.b|c", """\d\d""", "(a)(b)")) {
            assertEquals(pattern, null, AnswerFormat.Regex(pattern).labels)
        }
    }
}
