import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jetbrains.kotlin.abi.tools.AbiFilters;
import org.jetbrains.kotlin.abi.tools.AbiTools;

/**
 * Prints what classes offer to others, by Kotlin's own tool and in its format.
 *
 * <pre>java PublicApi.java CLASSES ANNOTATION...</pre>
 *
 * What carries one of the annotations is left out.
 */
public final class PublicApi {
  private PublicApi() {}

  public static void main(String[] arguments) throws IOException {
    Set<String> leftOut = Set.copyOf(List.of(arguments).subList(1, arguments.length));
    AbiTools tools = AbiTools.Companion.getInstance(AbiTools.class.getClassLoader());
    StringBuilder dump = new StringBuilder();
    List<File> classes;
    try (Stream<Path> files = Files.walk(Path.of(arguments[0]))) {
      classes = files.filter(path -> path.toString().endsWith(".class")).sorted().map(Path::toFile).toList();
    }
    tools.printJvmDump(dump, classes, new AbiFilters(Set.of(), Set.of(), Set.of(), leftOut));
    System.out.print(dump);
  }
}
