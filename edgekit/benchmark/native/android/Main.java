/**
 * Starts the benchmark runner on Android without installing anything:
 *
 * <pre>CLASSPATH=runner.jar app_process / Main ENGINE_LIBRARY RUNNER_LIBRARY TASK</pre>
 *
 * The engine is loaded first, so that the runner's references to it are met by the very same file.
 */
public final class Main {
  private static final int USAGE = 64;
  private static final int NOT_LOADED = 72;

  private Main() {}

  /** Measures what the task says, as JSON lines on standard output; returns the exit status. */
  static native int run(String task);

  public static void main(String[] arguments) {
    if (arguments.length != 3) {
      System.err.println("usage: Main ENGINE_LIBRARY RUNNER_LIBRARY TASK");
      end(USAGE);
    }
    try {
      System.load(arguments[0]);
      System.load(arguments[1]);
    } catch (UnsatisfiedLinkError error) {
      System.err.println(error.getMessage());
      end(NOT_LOADED);
    }
    end(run(arguments[2]));
  }

  /** Ends at once: the engine's own exit handlers have nothing left to do, and may hang on its threads. */
  private static void end(int status) {
    System.err.flush();
    Runtime.getRuntime().halt(status);
  }
}
