package dev.edgekit.sample.tasks

import android.content.SharedPreferences
import androidx.core.content.edit
import androidx.core.net.toUri
import dev.edgekit.core.Backend
import dev.edgekit.core.BundleSource

class SharedPreferencesChoices(private val preferences: SharedPreferences) : Choices {
    override var bundle: BundleSource
        get() = preferences.getString(BUNDLE, null)?.let { BundleSource.Document(it.toUri()) } ?: BundleSource.Assets()
        set(value) = preferences.edit { putString(BUNDLE, (value as? BundleSource.Document)?.uri?.toString()) }

    override var backend: Backend
        get() = preferences.getString(BACKEND, null)?.let(Backend::valueOf) ?: Backend.CPU
        set(value) = preferences.edit { putString(BACKEND, value.name) }

    override var lastTask: LastTask?
        get() = preferences.getString(TASK, null)?.let { LastTask(it, preferences.getString(TASK_TITLE, null) ?: it) }
        set(value) = preferences.edit { putString(TASK, value?.id).putString(TASK_TITLE, value?.title) }

    override var developer: Boolean
        get() = preferences.getBoolean(DEVELOPER, false)
        set(value) = preferences.edit { putBoolean(DEVELOPER, value) }

    private companion object {
        const val TASK = "task"
        const val TASK_TITLE = "task-title"
        const val DEVELOPER = "developer"
        const val BUNDLE = "bundle"
        const val BACKEND = "backend"
    }
}
