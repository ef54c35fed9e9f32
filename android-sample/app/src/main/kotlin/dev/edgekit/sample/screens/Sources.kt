package dev.edgekit.sample.screens

import androidx.compose.runtime.Composable
import androidx.lifecycle.ViewModel
import androidx.lifecycle.ViewModelProvider.AndroidViewModelFactory.Companion.APPLICATION_KEY
import androidx.lifecycle.createSavedStateHandle
import androidx.lifecycle.viewmodel.CreationExtras
import androidx.lifecycle.viewmodel.compose.viewModel
import androidx.lifecycle.viewmodel.initializer
import androidx.lifecycle.viewmodel.viewModelFactory
import dev.edgekit.sample.tasks.Choices
import dev.edgekit.sample.tasks.ModelHost

/** What view models are built from: one of each in the process. */
class Sources(val host: ModelHost, val choices: Choices)

/** The application, as view models see it. */
interface HasSources {
    val sources: Sources
}

val ViewModels = viewModelFactory {
    initializer { HostViewModel(sources().host, sources().choices) }
}

/** Those of one task, by its id. */
fun viewModelsOf(task: String) = viewModelFactory {
    initializer { TaskViewModel(sources().host, task, createSavedStateHandle()) }
    initializer { BenchmarkViewModel(sources().host, task) }
    initializer { SelfTestViewModel(sources().host, task) }
}

/** A task's own instance of a view model, which outlives its screens. */
@Composable
inline fun <reified T : ViewModel> viewModelOf(task: String): T = viewModel(key = "${T::class.java.name} $task", factory = viewModelsOf(task))

private fun CreationExtras.sources(): Sources = (this[APPLICATION_KEY] as HasSources).sources
