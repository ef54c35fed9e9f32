package dev.edgekit.compose

import dev.edgekit.core.answers.Answer
import dev.edgekit.core.answers.Field
import dev.edgekit.core.answers.readable

/** An answer as a text to be copied, or sent to somebody: what its card says, line by line. */
public fun textOf(answer: Answer): String = when (answer) {
    is Answer.Plain -> answer.text.trim()
    is Answer.Unfinished -> answer.text
    is Answer.Label -> answer.text
    is Answer.Garbled -> answer.text
    is Answer.Card -> (listOfNotNull(answer.sentence) + answer.fields.map(::line)).joinToString("\n")
    is Answer.Calls -> (listOf(answer.text).filter { it.isNotEmpty() } + answer.asked.map { readable(it.call.name) }).joinToString("\n")
}

private fun line(field: Field) = "  ".repeat(field.depth) + if (field.value == null) "${field.name}:" else "${field.name}: ${field.value}"
