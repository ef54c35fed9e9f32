package dev.edgekit.compose

import androidx.compose.runtime.Composable
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.res.stringResource
import java.time.LocalDateTime
import java.time.format.DateTimeFormatter
import java.time.format.FormatStyle
import java.util.Locale

/** A day as it is written in the language of the texts around it. */
@Composable
@ReadOnlyComposable
internal fun day(moment: LocalDateTime): String = moment.format(DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(localeOfTexts()))

@Composable
@ReadOnlyComposable
internal fun timeOfDay(moment: LocalDateTime): String =
    moment.format(DateTimeFormatter.ofLocalizedTime(FormatStyle.SHORT).withLocale(localeOfTexts()))

@Composable
@ReadOnlyComposable
private fun localeOfTexts(): Locale {
    val user = LocalConfiguration.current.locales[0]
    val texts = Locale.forLanguageTag(stringResource(R.string.edgekit_language))
    return if (user.language == texts.language) user else texts
}
