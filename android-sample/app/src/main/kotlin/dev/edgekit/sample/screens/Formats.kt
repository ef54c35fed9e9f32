package dev.edgekit.sample.screens

import android.text.format.Formatter
import androidx.compose.runtime.Composable
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import dev.edgekit.sample.R
import java.text.NumberFormat
import java.util.Locale

/** A number as it is written in the language of the texts around it, with at most so many decimals. */
@Composable
@ReadOnlyComposable
fun number(value: Number, decimals: Int = 0): String {
    val user = LocalConfiguration.current.locales[0]
    val texts = Locale.forLanguageTag(stringResource(R.string.language))
    val format = NumberFormat.getNumberInstance(if (user.language == texts.language) user else texts)
    format.maximumFractionDigits = decimals
    return format.format(value)
}

@Composable
@ReadOnlyComposable
fun bytes(count: Long): String = Formatter.formatShortFileSize(LocalContext.current, count)

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
