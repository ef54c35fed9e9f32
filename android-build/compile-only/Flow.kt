package kotlinx.coroutines.flow

public interface Flow<out T>
