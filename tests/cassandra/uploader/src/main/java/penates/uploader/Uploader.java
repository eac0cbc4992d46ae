package penates.uploader;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.json.simple.JSONArray;

/**
 * Writes what Priam 3.11 and 4.x would have uploaded, into a folder.
 *
 * <pre>
 * Uploader snapshot     --name NAME --instant MS OPTIONS    the files of snapshots/NAME, a manifest
 * Uploader incrementals [--delete] OPTIONS                  the files of backups/
 *
 * --data DIR            a data directory of the node; may be said again
 * --tree DIR            where the objects go: DIR/bucket/KEY, and DIR/objects.tsv
 * --dialect v1|v2 --cluster NAME --token TOKEN
 * --region us-east-1 --rack us-east-1a --base backup
 * --compress ALL|IF_REQUIRED|NONE                           priam.backupsToCompress
 * --block-size 32768    of a Snappy stream; snappy-java 1.1.1.3 made blocks of 2048
 * --instant MS          the manifest's own time
 * --listing FILE        this order and these times instead of the file system's
 * --delete              each file once it is uploaded
 * </pre>
 */
public final class Uploader {
    private final Settings settings;
    private final Keys keys;
    private final Store store;

    private Uploader(Settings settings) throws IOException {
        this.settings = settings;
        this.keys = new Keys(settings);
        this.store = new Store(settings.tree(), settings.blockSize());
    }

    public static void main(String[] args) throws IOException {
        Settings settings = Settings.of(args);
        Uploader uploader = new Uploader(settings);
        if (settings.command().equals("incrementals")) {
            uploader.incrementals();
        } else if (settings.v2()) {
            uploader.snapshotV2();
        } else {
            uploader.snapshotV1();
        }
    }

    /** Files first, then meta.json: that it is there means that the snapshot is whole. */
    @SuppressWarnings("unchecked") // json-simple knows no type parameters.
    private void snapshotV1() throws IOException {
        JSONArray listed = new JSONArray();
        for (List<List<LocalFile>> folders : snapshotWalk().tables().values()) {
            for (LocalFile file : LocalFile.inOrderOfUpload(folders.get(0))) {
                String key = keys.v1("SNAP", settings.name(), file);
                store.put(key, file.file().toPath(), file.modified(), "SNAPPY");
                listed.add(key);
            }
        }
        String compression = settings.compress().equals("NONE") ? "NONE" : "SNAPPY";
        store.put(keys.v1Meta(settings.name()),
                listed.toJSONString().getBytes(StandardCharsets.UTF_8), settings.instant(),
                compression);
    }

    /** The manifest first: what it promises follows. */
    private void snapshotV2() throws IOException {
        Manifest manifest = new Manifest(settings);
        List<Manifest.Component> all = new ArrayList<>();
        for (List<List<LocalFile>> folders : snapshotWalk().tables().values()) {
            List<Manifest.Component> table = new ArrayList<>();
            for (List<LocalFile> folder : folders) {
                table.addAll(components(folder));
            }
            if (!table.isEmpty()) {
                LocalFile first = table.get(0).file();
                manifest.add(first.keyspace(), first.tableDir(), table);
                all.addAll(table);
            }
        }
        String compression = settings.compress().equals("NONE") ? "NONE" : "SNAPPY";
        store.put(keys.v2Meta(settings.instant(), compression), manifest.finish(),
                settings.instant(), compression);
        for (Manifest.Component component : all) {
            upload(component);
        }
    }

    /** In v1, too, the files of indexes go where v2 has them. */
    private void incrementals() throws IOException {
        for (List<List<LocalFile>> folders : Walk.of(settings, "backups").tables().values()) {
            for (List<LocalFile> folder : folders) {
                for (Manifest.Component component : components(folder)) {
                    LocalFile file = component.file();
                    if (settings.v2() || file.isIndex()) {
                        upload(component);
                    } else {
                        store.put(keys.v1("SST", Keys.minute(file.modified()), file),
                                file.file().toPath(), file.modified(), "SNAPPY");
                    }
                    if (settings.delete()) {
                        Files.delete(file.file().toPath());
                    }
                }
            }
        }
    }

    private Walk snapshotWalk() throws IOException {
        return Walk.of(settings, "snapshots/" + settings.name());
    }

    private List<Manifest.Component> components(List<LocalFile> folder) {
        Set<String> compressed = LocalFile.compressedPrefixes(folder);
        List<Manifest.Component> components = new ArrayList<>();
        for (LocalFile file : LocalFile.inOrderOfUpload(folder)) {
            String compression = switch (settings.compress()) {
                case "ALL" -> "SNAPPY";
                case "IF_REQUIRED" -> compressed.contains(file.prefix()) ? "NONE" : "SNAPPY";
                default -> "NONE";
            };
            String key = keys.v2(file, compression);
            components.add(new Manifest.Component(file, key, compression, store.has(key)));
        }
        return components;
    }

    /** Only an SST_V2 is spared when it is there; an index is uploaded again. */
    private void upload(Manifest.Component component) throws IOException {
        LocalFile file = component.file();
        if (file.isIndex() || !store.has(component.key())) {
            store.put(component.key(), file.file().toPath(), file.modified(),
                    component.compression());
        }
    }
}
