import android.content.Context;
import java.util.concurrent.Executor;

/** Calls what came with API 28, unguarded: the check of API levels must find it. */
final class AboveApi26 {
  private AboveApi26() {}

  static Executor executor(Context context) {
    return context.getMainExecutor();
  }
}
