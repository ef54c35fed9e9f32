import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.util.List;
import java.util.Set;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.PrintWriterLogger;

/**
 * Holds what classes call of the platform against the signatures of one API level.
 *
 * <pre>java ApiLevel.java SIGNATURES CLASSES PACKAGE...</pre>
 *
 * The packages (with wildcards) are not the platform's: the app and its libraries. What stands in a function or class with
 * RequiresApi is left out: its callers look at the level first. Prints each call that the level does not have; exits with 1
 * when there is one.
 */
public final class ApiLevel {
  private ApiLevel() {}

  public static void main(String[] arguments) throws Exception {
    Set<String> others = Set.copyOf(List.of(arguments).subList(2, arguments.length));
    try (InputStream signatures = new FileInputStream(arguments[0])) {
      SignatureChecker checker = new SignatureChecker(signatures, others, new PrintWriterLogger(System.out));
      checker.setSourcePath(List.of());
      checker.setAnnotationTypes(List.of("androidx.annotation.RequiresApi"));
      for (String place : arguments[1].split(File.pathSeparator)) {
        checker.process(new File(place));
      }
      System.exit(checker.isSignatureBroken() ? 1 : 0);
    }
  }
}
