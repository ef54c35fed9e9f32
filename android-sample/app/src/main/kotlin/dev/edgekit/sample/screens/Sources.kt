package dev.edgekit.sample.screens

import androidx.lifecycle.ViewModelProvider.AndroidViewModelFactory.Companion.APPLICATION_KEY
import androidx.lifecycle.createSavedStateHandle
import androidx.lifecycle.viewmodel.CreationExtras
import androidx.lifecycle.viewmodel.initializer
import androidx.lifecycle.viewmodel.viewModelFactory
import dev.edgekit.sample.tasks.Benchmark
import dev.edgekit.sample.tasks.Choices
import dev.edgekit.sample.tasks.ModelHost

/** What view models are built from: one of each in the process. */
class Sources(val host: ModelHost, val choices: Choices, val benchmark: Benchmark)

/** The application, as view models see it. */
interface HasSources {
    val sources: Sources
}

val ViewModels = viewModelFactory {
    initializer { HostViewModel(sources().host, sources().choices) }
    initializer { TaskViewModel(sources().host, createSavedStateHandle()) }
    initializer { BenchmarkViewModel(sources().host, sources().benchmark) }
    initializer { SelfTestViewModel(sources().host) }
}

private fun CreationExtras.sources(): Sources = (this[APPLICATION_KEY] as HasSources).sources
