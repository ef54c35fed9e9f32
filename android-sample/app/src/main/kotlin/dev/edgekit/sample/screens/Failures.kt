package dev.edgekit.sample.screens

import androidx.compose.runtime.Composable
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import dev.edgekit.core.Backend
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.sample.R

/**
 * A failure in the user's words.
 *
 * @property remedy what to do about it
 * @property detail the reason as the engine or the installer gave it, in English
 */
data class Explanation(val title: String, val remedy: String, val detail: String?)

@Composable
@ReadOnlyComposable
fun explain(failure: Exception): Explanation = when (failure) {
    is BundleFailure -> explain(failure)
    is EngineFailure -> explain(failure)
    is EdgekitFailure.NotEnoughMemory -> Explanation(
        stringResource(R.string.out_of_memory),
        stringResource(R.string.not_enough_memory_remedy, bytes(failure.needed), bytes(failure.available)),
        null,
    )
    else -> explanationOf(R.string.failed, R.string.failed_remedy, failure.message)
}

@Composable
@ReadOnlyComposable
private fun explain(failure: BundleFailure): Explanation = when (failure) {
    is BundleFailure.Missing -> explanationOf(R.string.bundle_missing, R.string.bundle_missing_remedy, failure.message)
    is BundleFailure.Corrupt -> explanationOf(R.string.bundle_corrupt, R.string.bundle_corrupt_remedy, failure.message)
    is BundleFailure.Unreadable -> explanationOf(R.string.bundle_unreadable, R.string.bundle_unreadable_remedy, failure.message)
    is BundleFailure.Unsigned -> explanationOf(R.string.bundle_unsigned, R.string.bundle_unsigned_remedy, failure.message)
    is BundleFailure.NoSpace -> Explanation(
        stringResource(R.string.no_space),
        stringResource(
            R.string.no_space_remedy,
            bytes(failure.needed),
            bytes(failure.free),
            bytes((failure.needed - failure.free).coerceAtLeast(0)),
        ),
        null,
    )
    is BundleFailure.ForeignAdapter -> Explanation(
        stringResource(R.string.adapter_foreign),
        stringResource(R.string.adapter_foreign_remedy, failure.madeFor),
        failure.message,
    )
    is BundleFailure.UnfitAdapter -> explanationOf(R.string.adapter_unfit, R.string.adapter_unfit_remedy, failure.message)
    is BundleFailure.NoAdapterInputs -> explanationOf(R.string.adapter_not_taken, R.string.adapter_not_taken_remedy, failure.message)
    is BundleFailure.Other -> explanationOf(R.string.install_failed, R.string.failed_remedy, failure.message)
}

/** Of a task whose adapter cannot be used. */
@Composable
@ReadOnlyComposable
fun explainOfAdapter(failure: BundleFailure): Explanation = when (failure) {
    is BundleFailure.Missing -> explanationOf(R.string.adapter_missing, R.string.adapter_unfit_remedy, failure.message)
    is BundleFailure.Corrupt -> explanationOf(R.string.adapter_corrupt, R.string.bundle_corrupt_remedy, failure.message)
    is BundleFailure.Unsigned -> explanationOf(R.string.adapter_unsigned, R.string.adapter_unsigned_remedy, failure.message)
    is BundleFailure.Unreadable -> explanationOf(R.string.adapter_unreadable, R.string.adapter_unreadable_remedy, failure.message)
    else -> explain(failure)
}

@Composable
@ReadOnlyComposable
private fun explain(failure: EngineFailure): Explanation = when (failure) {
    is EngineFailure.ModelMissing -> explanationOf(R.string.model_missing, R.string.model_missing_remedy, failure.message)
    is EngineFailure.ModelCorrupt -> explanationOf(R.string.model_corrupt, R.string.bundle_corrupt_remedy, failure.message)
    is EngineFailure.RuntimeTooOld -> Explanation(
        stringResource(R.string.runtime_too_old),
        stringResource(R.string.runtime_too_old_remedy, failure.needs, failure.has),
        null,
    )
    is EngineFailure.OutOfMemory -> explanationOf(R.string.out_of_memory, R.string.out_of_memory_remedy, failure.message)
    is EngineFailure.BackendUnavailable -> Explanation(
        stringResource(R.string.backend_unavailable, backendName(failure.backend)),
        stringResource(R.string.backend_unavailable_remedy),
        failure.message,
    )
    is EngineFailure.PromptTooLong -> Explanation(
        stringResource(R.string.prompt_too_long),
        tooManyTokens(failure.tokens - failure.room),
        null,
    )
    is EngineFailure.Died -> explanationOf(R.string.ended_while_opening, R.string.ended_while_opening_remedy, failure.message)
    is EngineFailure.Other -> explanationOf(R.string.engine_failed, R.string.failed_remedy, failure.message)
}

@Composable
@ReadOnlyComposable
private fun explanationOf(title: Int, remedy: Int, detail: String?) =
    Explanation(stringResource(title), stringResource(remedy), detail)

@Composable
@ReadOnlyComposable
fun backendName(backend: Backend): String =
    stringResource(if (backend == Backend.GPU) R.string.backend_gpu else R.string.backend_cpu)

/** How much a prompt must be shortened. */
@Composable
@ReadOnlyComposable
fun tooManyTokens(excess: Int): String = pluralStringResource(R.plurals.too_many_tokens, excess, number(excess))
