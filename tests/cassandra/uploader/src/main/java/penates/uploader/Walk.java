package penates.uploader;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The files of a snapshot, or of the backups folders, table by table and folder by folder.
 *
 * <p>The order of tables, and of files whose hashes meet, is the file system's. A listing of the
 * lines "path below the data directory, mtime in ms, creation time in ms" takes its place where a
 * walk of the past is to be repeated.
 */
final class Walk {
    /** Tables that Priam leaves out: what they say is true of one node only. */
    private static final Set<String> LEFT_OUT =
            Set.of("local", "peers", "peers_v2", "hints", "compactions_in_progress", "LocationInfo");

    private final List<LocalFile> files = new ArrayList<>();

    /** where is "snapshots/NAME" or "backups". */
    static Walk of(Settings settings, String where) throws IOException {
        Walk walk = new Walk();
        if (settings.listing() != null) {
            walk.readListing(settings, where);
        } else {
            for (Path data : settings.data()) {
                walk.walkData(data, where);
            }
        }
        return walk;
    }

    /** Each table's folders: its own first, then those of its indexes. */
    Map<String, List<List<LocalFile>>> tables() {
        Map<String, Map<String, List<LocalFile>>> found = new LinkedHashMap<>();
        for (LocalFile file : files) {
            Map<String, List<LocalFile>> folders =
                    found.computeIfAbsent(
                            file.keyspace() + "/" + file.tableDir(),
                            k -> new LinkedHashMap<>(Map.of("", new ArrayList<>())));
            folders.computeIfAbsent(file.indexDir(), k -> new ArrayList<>()).add(file);
        }
        Map<String, List<List<LocalFile>>> tables = new LinkedHashMap<>();
        found.forEach((name, folders) -> tables.put(name, new ArrayList<>(folders.values())));
        return tables;
    }

    private void walkData(Path data, String where) throws IOException {
        for (File keyspace : foldersOf(data.toFile())) {
            for (File table : foldersOf(keyspace)) {
                File from = new File(table, where);
                if (isLeftOut(keyspace.getName(), table.getName()) || !from.isDirectory()) {
                    continue;
                }
                add(from, keyspace.getName(), table.getName(), "");
                for (File index : foldersOf(from)) {
                    if (index.getName().startsWith(".")) {
                        add(index, keyspace.getName(), table.getName(), index.getName());
                    }
                }
            }
        }
    }

    private void add(File folder, String keyspace, String table, String index) throws IOException {
        List<Path> names;
        try (var stream = Files.list(folder.toPath())) {
            names = stream.toList();
        }
        for (Path path : names) {
            BasicFileAttributes facts;
            try {
                facts = Files.readAttributes(path, BasicFileAttributes.class);
            } catch (NoSuchFileException gone) {
                continue; // A live node takes links away at any time.
            }
            if (facts.isRegularFile()) {
                long modified = facts.lastModifiedTime().toMillis();
                long created = Math.min(facts.creationTime().toMillis(), modified);
                files.add(new LocalFile(path.toFile(), keyspace, table, index, modified, created,
                        files.size()));
            }
        }
    }

    private void readListing(Settings settings, String where) throws IOException {
        File data = settings.data().get(0).toFile();
        int depth = where.split("/").length;
        for (String line : Files.readAllLines(settings.listing())) {
            String[] fields = line.split("\t");
            String[] path = fields[0].split("/");
            boolean index = path.length == 4 + depth;
            if ((!index && path.length != 3 + depth)
                    || !fields[0].startsWith(path[0] + "/" + path[1] + "/" + where + "/")) {
                throw new IOException("not below " + where + ": " + fields[0]);
            }
            if (!isLeftOut(path[0], path[1])) {
                files.add(new LocalFile(new File(data, fields[0]), path[0], path[1],
                        index ? path[2 + depth] : "", Long.parseLong(fields[1]),
                        Long.parseLong(fields[2]), files.size()));
            }
        }
    }

    private static boolean isLeftOut(String keyspace, String tableDir) {
        return keyspace.equals("system") && LEFT_OUT.contains(tableDir.split("-")[0]);
    }

    private static List<File> foldersOf(File parent) {
        File[] found = parent.listFiles(File::isDirectory);
        return found == null ? List.of() : List.of(found);
    }
}
