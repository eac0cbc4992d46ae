package penates.uploader;

import java.io.File;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A file that is to be uploaded. The index directory is empty for a table's own files; order is its
 * place in the walk.
 */
record LocalFile(
        File file,
        String keyspace,
        String tableDir,
        String indexDir,
        long modified,
        long created,
        int order) {

    private static final String COMPRESSION_INFO = "-CompressionInfo.db";
    private static final String DATA = "-Data.db";

    String name() {
        return file.getName();
    }

    /** The SSTable's name: up to the last '-'; for manifest.json and schema.cql what is before '.'. */
    String prefix() {
        int end = name().lastIndexOf('-');
        return end >= 0 ? name().substring(0, end) : name().substring(0, name().lastIndexOf('.'));
    }

    boolean isIndex() {
        return !indexDir.isEmpty();
    }

    /** Which SSTables of a directory Cassandra has compressed itself. */
    static Set<String> compressedPrefixes(List<LocalFile> directory) {
        return directory.stream()
                .filter(f -> f.name().endsWith(COMPRESSION_INFO))
                .map(LocalFile::prefix)
                .collect(Collectors.toSet());
    }

    /**
     * The order in which Priam takes the files of one directory: as a HashSet of java.io.File gives
     * them, so by the hash of the whole path, with all Data.db last.
     */
    static List<LocalFile> inOrderOfUpload(List<LocalFile> directory) {
        Set<File> hashed = new HashSet<>();
        directory.forEach(f -> hashed.add(f.file));
        List<LocalFile> first = new ArrayList<>();
        List<LocalFile> last = new ArrayList<>();
        for (File file : hashed) {
            LocalFile found =
                    directory.stream().filter(f -> f.file.equals(file)).findFirst().orElseThrow();
            (found.name().endsWith(DATA) ? last : first).add(found);
        }
        first.addAll(last);
        return first;
    }
}
