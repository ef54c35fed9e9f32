package dev.edgekit.sample.screens

import androidx.compose.runtime.Composable
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.res.stringResource
import dev.edgekit.sample.R
import java.text.NumberFormat
import java.time.Duration
import java.util.Locale

/** A number as it is written in the language of the texts around it, with at most so many decimals. */
@Composable
@ReadOnlyComposable
fun number(value: Number, decimals: Int = 0): String {
    val format = NumberFormat.getNumberInstance(localeOfTexts())
    format.maximumFractionDigits = decimals
    return format.format(value)
}

@Composable
@ReadOnlyComposable
private fun localeOfTexts(): Locale {
    val user = LocalConfiguration.current.locales[0]
    val texts = Locale.forLanguageTag(stringResource(R.string.language))
    return if (user.language == texts.language) user else texts
}

/** A size as Android's own settings show it, in powers of a thousand. */
@Composable
@ReadOnlyComposable
fun bytes(count: Long): String = when {
    count < 1_000_000 -> "${number(count / 1e3, 1)}\u00a0kB"
    count < 1_000_000_000 -> "${number(count / 1e6, if (count < 10_000_000) 1 else 0)}\u00a0MB"
    else -> "${number(count / 1e9, 2)}\u00a0GB"
}

/** Milliseconds below a second: 13 ms, 1.28 s. */
@Composable
@ReadOnlyComposable
fun seconds(value: Double): String =
    if (value < 1) {
        stringResource(R.string.milliseconds, number(value * 1000, if (value < 0.01) 1 else 0))
    } else {
        stringResource(R.string.seconds, number(value, 2))
    }

/** Tokens per second, without decimals from a hundred on. */
@Composable
@ReadOnlyComposable
fun speed(tokensPerSecond: Double): String =
    stringResource(R.string.tokens_per_second, number(tokensPerSecond, speedDecimals(tokensPerSecond)))

fun speedDecimals(tokensPerSecond: Double) = if (tokensPerSecond < 100) 1 else 0

/** Hours, minutes and seconds: 1:30:00, or 5:00. */
@Composable
@ReadOnlyComposable
fun span(length: Duration): String {
    val (hours, minutes, seconds) = length.seconds.let { Triple(it / 3600, it / 60 % 60, it % 60) }
    val locale = localeOfTexts()
    return if (hours > 0) "%d:%02d:%02d".format(locale, hours, minutes, seconds) else "%d:%02d".format(locale, minutes, seconds)
}
