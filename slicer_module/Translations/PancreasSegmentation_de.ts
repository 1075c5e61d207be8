<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de">
<context>
    <name>PancreasSegmentation</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>Pankreassegmentierung</translation>
    </message>
    <message>
        <source>Finds the pancreas in CT with the Globally Guided Progressive Fusion Network (GGPFN). Choose a volume and press Apply; then move the threshold. For research, not for clinical use. See the tutorial in the extension&apos;s folder Docs.</source>
        <translation>Findet das Pankreas im CT mit dem Globally Guided Progressive Fusion Network (GGPFN). Wählen Sie ein Volumen und drücken Sie „Anwenden“; verschieben Sie dann den Schwellenwert. Für die Forschung, nicht für den klinischen Gebrauch. Das Tutorial liegt im Ordner Docs der Erweiterung.</translation>
    </message>
    <message>
        <source>After Chaowei Fang and others: Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, MICCAI 2019. The data that the shipped model was trained on is listed on its model card.</source>
        <translation>Nach Chaowei Fang und anderen: Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, MICCAI 2019. Mit welchen Daten das mitgelieferte Modell trainiert wurde, steht auf seiner Modellkarte.</translation>
    </message>
    <message>
        <source>Input</source>
        <translation>Eingabe</translation>
    </message>
    <message>
        <source>CT volume:</source>
        <translation>CT-Volumen:</translation>
    </message>
    <message>
        <source>The CT, in Hounsfield units. For a sequence, its volume of the moment; all of them under Batch.</source>
        <translation>Das CT in Hounsfield-Einheiten. Bei einer Sequenz ihr aktuelles Volumen; alle zusammen unter „Stapel“.</translation>
    </message>
    <message>
        <source>Extent:</source>
        <translation>Umfang:</translation>
    </message>
    <message>
        <source>The whole volume, the body without the air around it, or a box that you place. A smaller region is faster and needs less memory.</source>
        <translation>Das ganze Volumen, der Körper ohne die Luft um ihn herum oder ein Quader, den Sie platzieren. Eine kleinere Region ist schneller und braucht weniger Speicher.</translation>
    </message>
    <message>
        <source>Region:</source>
        <translation>Region:</translation>
    </message>
    <message>
        <source>The box to look at. A new one is laid around the body; drag its handles to the upper abdomen.</source>
        <translation>Der Quader, in dem gesucht wird. Ein neuer wird um den Körper gelegt; ziehen Sie seine Griffe zum Oberbauch.</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>Region</translation>
    </message>
    <message>
        <source>Lays the region around the body, along the volume&apos;s axes.</source>
        <translation>Legt die Region um den Körper, entlang der Achsen des Volumens.</translation>
    </message>
    <message>
        <source>Fit to body</source>
        <translation>An Körper anpassen</translation>
    </message>
    <message>
        <source>Draws the region anew by two clicks in the slices, from one corner to the other.</source>
        <translation>Zeichnet die Region neu: zwei Klicks in den Schichten, von einer Ecke zur anderen.</translation>
    </message>
    <message>
        <source>Place</source>
        <translation>Platzieren</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Model:</source>
        <translation>Modell:</translation>
    </message>
    <message>
        <source>The small model that ships with ggpfn, or a model file of your own.</source>
        <translation>Das kleine Modell, das mit ggpfn geliefert wird, oder eine eigene Modelldatei.</translation>
    </message>
    <message>
        <source>File:</source>
        <translation>Datei:</translation>
    </message>
    <message>
        <source>A model file, .safetensors.</source>
        <translation>Eine Modelldatei, .safetensors.</translation>
    </message>
    <message>
        <source>Choose a model file.</source>
        <translation>Wählt eine Modelldatei.</translation>
    </message>
    <message>
        <source>...</source>
        <translation>...</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Einzelheiten</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Ergebnis</translation>
    </message>
    <message>
        <source>Segmentation:</source>
        <translation>Segmentierung:</translation>
    </message>
    <message>
        <source>Where the pancreas goes, as a segment of its own. Other segments stay, and so does a pancreas that you have edited.</source>
        <translation>Wohin das Pankreas kommt, als eigenes Segment. Andere Segmente bleiben, ebenso ein Pankreas, das Sie bearbeitet haben.</translation>
    </message>
    <message>
        <source>New segmentation</source>
        <translation>Neue Segmentierung</translation>
    </message>
    <message>
        <source>Threshold:</source>
        <translation>Schwellenwert:</translation>
    </message>
    <message>
        <source>Voxels of at least this probability are pancreas. After a run, moving this changes the result at once.</source>
        <translation>Voxel mit mindestens dieser Wahrscheinlichkeit sind Pankreas. Nach einem Lauf ändert sich das Ergebnis sofort mit.</translation>
    </message>
    <message>
        <source>Keeps the largest connected component; after a run it changes the result at once.</source>
        <translation>Behält nur die größte zusammenhängende Komponente; nach einem Lauf ändert sich das Ergebnis sofort.</translation>
    </message>
    <message>
        <source>Largest component only</source>
        <translation>Nur größte Komponente</translation>
    </message>
    <message>
        <source>Shows the segmentation in 3D, or hides it there.</source>
        <translation>Zeigt die Segmentierung in 3D oder blendet sie dort aus.</translation>
    </message>
    <message>
        <source>Show 3D</source>
        <translation>3D zeigen</translation>
    </message>
    <message>
        <source>Finds the pancreas.</source>
        <translation>Sucht das Pankreas.</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>Anwenden</translation>
    </message>
    <message>
        <source>Stops the work at once.</source>
        <translation>Bricht die Arbeit sofort ab.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>How far the result of the last run can be trusted.</source>
        <translation>Wie weit dem Ergebnis des letzten Laufs zu trauen ist.</translation>
    </message>
    <message>
        <source>Replaces your corrections by the result of the last run, at the threshold above. They can be brought back.</source>
        <translation>Ersetzt Ihre Korrekturen durch das Ergebnis des letzten Laufs beim Schwellenwert oben. Sie können zurückgeholt werden.</translation>
    </message>
    <message>
        <source>Replace by the result</source>
        <translation>Durch das Ergebnis ersetzen</translation>
    </message>
    <message>
        <source>Brings back the corrections that were replaced.</source>
        <translation>Holt die ersetzten Korrekturen zurück.</translation>
    </message>
    <message>
        <source>Restore the corrections</source>
        <translation>Korrekturen zurückholen</translation>
    </message>
    <message>
        <source>Goes to the Segment Editor with this segmentation and its CT.</source>
        <translation>Wechselt mit dieser Segmentierung und ihrem CT in den Segment-Editor.</translation>
    </message>
    <message>
        <source>Edit in Segment Editor</source>
        <translation>Im Segment-Editor bearbeiten</translation>
    </message>
    <message>
        <source>Writes a DICOM segmentation that refers to the CT, which has to be loaded by the module DICOM: by the extension Quantitative Reporting if it is installed, else to a file.</source>
        <translation>Schreibt eine DICOM-Segmentierung, die sich auf das CT bezieht; dieses muss vom Modul DICOM geladen sein. Mit der Erweiterung Quantitative Reporting, wenn sie installiert ist, sonst in eine Datei.</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>Als DICOM SEG exportieren</translation>
    </message>
    <message>
        <source>What the model is fit for. More under Model, Details.</source>
        <translation>Wofür das Modell taugt. Mehr unter Modell, Einzelheiten.</translation>
    </message>
    <message>
        <source>Measurements</source>
        <translation>Messwerte</translation>
    </message>
    <message>
        <source>The pancreas in numbers. The same table is a node of the scene.</source>
        <translation>Das Pankreas in Zahlen. Dieselbe Tabelle ist ein Knoten der Szene.</translation>
    </message>
    <message>
        <source>Measures the segment as it is now, with your corrections.</source>
        <translation>Misst das Segment, wie es jetzt ist, mit Ihren Korrekturen.</translation>
    </message>
    <message>
        <source>Measure again</source>
        <translation>Neu messen</translation>
    </message>
    <message>
        <source>Opens a layout with the table beside the slices, from which it can be copied.</source>
        <translation>Öffnet eine Ansicht mit der Tabelle neben den Schichten, aus der sie kopiert werden kann.</translation>
    </message>
    <message>
        <source>Show table</source>
        <translation>Tabelle zeigen</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>Erweitert</translation>
    </message>
    <message>
        <source>Axial:</source>
        <translation>Axial:</translation>
    </message>
    <message>
        <source>Looks at axial slices.</source>
        <translation>Sieht axiale Schichten an.</translation>
    </message>
    <message>
        <source>Use, weight</source>
        <translation>Verwenden, Gewicht</translation>
    </message>
    <message>
        <source>Sagittal:</source>
        <translation>Sagittal:</translation>
    </message>
    <message>
        <source>Looks at sagittal slices.</source>
        <translation>Sieht sagittale Schichten an.</translation>
    </message>
    <message>
        <source>Coronal:</source>
        <translation>Koronal:</translation>
    </message>
    <message>
        <source>Looks at coronal slices.</source>
        <translation>Sieht koronale Schichten an.</translation>
    </message>
    <message>
        <source>How much each view counts; they are scaled to add up to 1.</source>
        <translation>Wie viel jede Ansicht zählt; die Gewichte werden auf die Summe 1 gebracht.</translation>
    </message>
    <message>
        <source>Weights of my own instead of the model&apos;s</source>
        <translation>Eigene Gewichte statt der des Modells</translation>
    </message>
    <message>
        <source>Device:</source>
        <translation>Gerät:</translation>
    </message>
    <message>
        <source>Where to compute.</source>
        <translation>Wo gerechnet wird.</translation>
    </message>
    <message>
        <source>Precision:</source>
        <translation>Genauigkeit:</translation>
    </message>
    <message>
        <source>16 bits are faster on recent processors and GPUs; probabilities differ by up to about 0.01.</source>
        <translation>16 Bit sind auf neueren Prozessoren und GPUs schneller; Wahrscheinlichkeiten weichen um bis zu etwa 0,01 ab.</translation>
    </message>
    <message>
        <source>Cuts slices into patches of 256 x 256.</source>
        <translation>Zerlegt Schichten in Kacheln von 256 x 256.</translation>
    </message>
    <message>
        <source>Patches, for GPUs with little memory</source>
        <translation>Kacheln, für GPUs mit wenig Speicher</translation>
    </message>
    <message>
        <source>Dice between the views&apos; own results, in the table.</source>
        <translation>Dice zwischen den Ergebnissen der einzelnen Ansichten, in der Tabelle.</translation>
    </message>
    <message>
        <source>Agreement between the views</source>
        <translation>Übereinstimmung der Ansichten</translation>
    </message>
    <message>
        <source>Adds a volume with the fused probability, 0 to 1.</source>
        <translation>Fügt ein Volumen mit der fusionierten Wahrscheinlichkeit hinzu, 0 bis 1.</translation>
    </message>
    <message>
        <source>Probability map</source>
        <translation>Wahrscheinlichkeitskarte</translation>
    </message>
    <message>
        <source>Adds a volume with the views&apos; disagreement: the standard deviation of their probabilities, 0 to 0.5.</source>
        <translation>Fügt ein Volumen mit der Uneinigkeit der Ansichten hinzu: die Standardabweichung ihrer Wahrscheinlichkeiten, 0 bis 0,5.</translation>
    </message>
    <message>
        <source>Uncertainty map</source>
        <translation>Unsicherheitskarte</translation>
    </message>
    <message>
        <source>Run in:</source>
        <translation>Ausführen in:</translation>
    </message>
    <message>
        <source>This process is fastest. A separate process is for a Slicer whose Python has a libtorch of its own. Automatic: this process, unless it has one.</source>
        <translation>Dieser Prozess ist am schnellsten. Ein eigener Prozess ist für ein Slicer, dessen Python selbst eine libtorch hat. Automatisch: dieser Prozess, wenn es keine hat.</translation>
    </message>
    <message>
        <source>Library:</source>
        <translation>Bibliothek:</translation>
    </message>
    <message>
        <source>The folder of libggpfn. Empty: where the extension has it.</source>
        <translation>Der Ordner von libggpfn. Leer: wo die Erweiterung sie hat.</translation>
    </message>
    <message>
        <source>Choose the folder.</source>
        <translation>Wählt den Ordner.</translation>
    </message>
    <message>
        <source>Batch</source>
        <translation>Stapel</translation>
    </message>
    <message>
        <source>Scans:</source>
        <translation>Scans:</translation>
    </message>
    <message>
        <source>What to go through, with the settings above.</source>
        <translation>Was durchlaufen wird, mit den Einstellungen oben.</translation>
    </message>
    <message>
        <source>Tick the volumes.</source>
        <translation>Haken Sie die Volumen an.</translation>
    </message>
    <message>
        <source>Sequence:</source>
        <translation>Sequenz:</translation>
    </message>
    <message>
        <source>A sequence of CT volumes.</source>
        <translation>Eine Sequenz von CT-Volumen.</translation>
    </message>
    <message>
        <source>Folder:</source>
        <translation>Ordner:</translation>
    </message>
    <message>
        <source>A folder of image files (NIfTI, NRRD, MetaImage) and of folders with DICOM series.</source>
        <translation>Ein Ordner mit Bilddateien (NIfTI, NRRD, MetaImage) und Ordnern mit DICOM-Serien.</translation>
    </message>
    <message>
        <source>Write to:</source>
        <translation>Schreiben nach:</translation>
    </message>
    <message>
        <source>Where segmentations and a table go. Empty: beside the scans.</source>
        <translation>Wohin Segmentierungen und eine Tabelle kommen. Leer: neben die Scans.</translation>
    </message>
    <message>
        <source>One scan after the other; what fails is a line in the table.</source>
        <translation>Ein Scan nach dem anderen; was fehlschlägt, ist eine Zeile in der Tabelle.</translation>
    </message>
    <message>
        <source>Segment all</source>
        <translation>Alle segmentieren</translation>
    </message>
    <message>
        <source>Fine-tune</source>
        <translation>Nachtrainieren</translation>
    </message>
    <message>
        <source>Volume:</source>
        <translation>Volumen:</translation>
    </message>
    <message>
        <source>A CT of the scene.</source>
        <translation>Ein CT der Szene.</translation>
    </message>
    <message>
        <source>Corrected:</source>
        <translation>Korrigiert:</translation>
    </message>
    <message>
        <source>Its segmentation, corrected by hand.</source>
        <translation>Seine von Hand korrigierte Segmentierung.</translation>
    </message>
    <message>
        <source>Adds the two above to the training.</source>
        <translation>Nimmt die beiden oben in das Training auf.</translation>
    </message>
    <message>
        <source>Add pair</source>
        <translation>Paar hinzufügen</translation>
    </message>
    <message>
        <source>Removes the pair that is selected.</source>
        <translation>Entfernt das ausgewählte Paar.</translation>
    </message>
    <message>
        <source>Remove pair</source>
        <translation>Paar entfernen</translation>
    </message>
    <message>
        <source>The pairs that the model learns from.</source>
        <translation>Die Paare, aus denen das Modell lernt.</translation>
    </message>
    <message>
        <source>The last pair is not learnt from; it shows how good the model has become, and chooses the best one.</source>
        <translation>Aus dem letzten Paar wird nicht gelernt; es zeigt, wie gut das Modell geworden ist, und wählt das beste aus.</translation>
    </message>
    <message>
        <source>Validate on the last pair</source>
        <translation>Am letzten Paar validieren</translation>
    </message>
    <message>
        <source>Epochs:</source>
        <translation>Epochen:</translation>
    </message>
    <message>
        <source>How often the model goes through the pairs.</source>
        <translation>Wie oft das Modell die Paare durchläuft.</translation>
    </message>
    <message>
        <source>Minutes at most:</source>
        <translation>Höchstens Minuten:</translation>
    </message>
    <message>
        <source>0: as long as it takes.</source>
        <translation>0: so lange es dauert.</translation>
    </message>
    <message>
        <source>New model:</source>
        <translation>Neues Modell:</translation>
    </message>
    <message>
        <source>The file that the new model goes to; one that is there already is not replaced, but gets a number. Empty: a new one in the folder ggpfn-models of your home.</source>
        <translation>Die Datei für das neue Modell; eine vorhandene wird nicht ersetzt, die neue bekommt dann eine Nummer. Leer: eine neue im Ordner ggpfn-models Ihres Benutzerverzeichnisses.</translation>
    </message>
    <message>
        <source>Choose the file.</source>
        <translation>Wählt die Datei.</translation>
    </message>
    <message>
        <source>Goes on training the model that is chosen above.</source>
        <translation>Trainiert das oben gewählte Modell weiter.</translation>
    </message>
    <message>
        <source>Ends the training and keeps the best model so far.</source>
        <translation>Beendet das Training und behält das bisher beste Modell.</translation>
    </message>
    <message>
        <source>Stop and keep</source>
        <translation>Beenden und behalten</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>What is to be judged.</source>
        <translation>Was beurteilt werden soll.</translation>
    </message>
    <message>
        <source>Truth:</source>
        <translation>Wahrheit:</translation>
    </message>
    <message>
        <source>What it is judged by.</source>
        <translation>Woran es gemessen wird.</translation>
    </message>
    <message>
        <source>Dice, volumes and distances of the surfaces.</source>
        <translation>Dice, Volumen und Abstände der Oberflächen.</translation>
    </message>
    <message>
        <source>How well the two agree. The same table is a node of the scene.</source>
        <translation>Wie gut die beiden übereinstimmen. Dieselbe Tabelle ist ein Knoten der Szene.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.batch</name>
    <message>
        <source>Scan</source>
        <translation>Scan</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>Volumen (ml)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>Mittelwert (HU)</translation>
    </message>
    <message>
        <source>Components</source>
        <translation>Komponenten</translation>
    </message>
    <message>
        <source>Expected Dice</source>
        <translation>Erwarteter Dice</translation>
    </message>
    <message>
        <source>Doubtful</source>
        <translation>Zweifelhaft</translation>
    </message>
    <message>
        <source>Seconds</source>
        <translation>Sekunden</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>Bemerkung</translation>
    </message>
    <message>
        <source>The volume was deleted.</source>
        <translation>Das Volumen wurde gelöscht.</translation>
    </message>
    <message>
        <source>The sequence was deleted.</source>
        <translation>Die Sequenz wurde gelöscht.</translation>
    </message>
    <message>
        <source>{path} cannot be written.</source>
        <translation>{path} kann nicht geschrieben werden.</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} wurde von Hand bearbeitet und bleibt, wie es ist; das Ergebnis ist in {new}.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Wählen Sie eine Modelldatei oder das mitgelieferte Modell.</translation>
    </message>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>Haken Sie unter „Erweitert“ mindestens eine Ansicht an.</translation>
    </message>
    <message>
        <source>Files of a folder lie in places of their own; crop to the body instead of a region.</source>
        <translation>Dateien eines Ordners liegen an verschiedenen Orten im Raum; beschränken Sie den Umfang auf den Körper statt auf eine Region.</translation>
    </message>
    <message>
        <source>Segmenting {count} scans</source>
        <translation>{count} Scans werden segmentiert</translation>
    </message>
    <message>
        <source>Tick at least one volume.</source>
        <translation>Haken Sie mindestens ein Volumen an.</translation>
    </message>
    <message>
        <source>Choose a sequence that has volumes in it.</source>
        <translation>Wählen Sie eine Sequenz, die Volumen enthält.</translation>
    </message>
    <message>
        <source>{name} is no sequence of volumes.</source>
        <translation>{name} ist keine Sequenz von Volumen.</translation>
    </message>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} Pankreas</translation>
    </message>
    <message>
        <source>yes</source>
        <translation>ja</translation>
    </message>
    <message>
        <source>no</source>
        <translation>nein</translation>
    </message>
    <message>
        <source>{done} of {count} scans are segmented.</source>
        <translation>{done} von {count} Scans sind segmentiert.</translation>
    </message>
    <message>
        <source>The table says what became of the others.</source>
        <translation>Was aus den anderen wurde, steht in der Tabelle.</translation>
    </message>
    <message>
        <source>{count} results are doubtful: look at them before you use them.</source>
        <translation>{count} Ergebnisse sind zweifelhaft: Sehen Sie sie an, bevor Sie sie verwenden.</translation>
    </message>
    <message>
        <source>Pancreas of many scans</source>
        <translation>Pankreas vieler Scans</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>Abgebrochen, da die Szene geschlossen wurde.</translation>
    </message>
    <message>
        <source>Scan {number} of {count}, {phase}</source>
        <translation>Scan {number} von {count}, {phase}</translation>
    </message>
    <message>
        <source>Choose the folder that has the scans.</source>
        <translation>Wählen Sie den Ordner mit den Scans.</translation>
    </message>
    <message>
        <source>There is no image in {folder}; {endings} and DICOM series are looked for.</source>
        <translation>In {folder} ist kein Bild; gesucht werden {endings} und DICOM-Serien.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.comparison</name>
    <message>
        <source>Choose two segmentations.</source>
        <translation>Wählen Sie zwei Segmentierungen.</translation>
    </message>
    <message>
        <source>Choose two different segmentations.</source>
        <translation>Wählen Sie zwei verschiedene Segmentierungen.</translation>
    </message>
    <message>
        <source>Comparing</source>
        <translation>Vergleich läuft</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentations as the input volume; its grid is needed.</source>
        <translation>Wählen Sie das CT der Segmentierungen als Eingabevolumen; sein Gitter wird gebraucht.</translation>
    </message>
    <message>
        <source>Comparison</source>
        <translation>Vergleich</translation>
    </message>
    <message>
        <source>Dice {dice:.3f}</source>
        <translation>Dice {dice:.3f}</translation>
    </message>
    <message>
        <source>A segmentation was deleted during the comparison.</source>
        <translation>Eine Segmentierung wurde während des Vergleichs gelöscht.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_export</name>
    <message>
        <source>Choose the segmentation that is to be exported under Result.</source>
        <translation>Wählen Sie unter „Ergebnis“ die Segmentierung, die exportiert werden soll.</translation>
    </message>
    <message>
        <source>Writing {path}</source>
        <translation>{path} wird geschrieben</translation>
    </message>
    <message>
        <source>{path} was written: the pancreas on {slices} of {count} slices.</source>
        <translation>{path} wurde geschrieben: das Pankreas auf {slices} von {count} Schichten.</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted while it was written.</source>
        <translation>Das Volumen oder die Segmentierung wurde während des Schreibens gelöscht.</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentation as the input volume.</source>
        <translation>Wählen Sie das CT der Segmentierung als Eingabevolumen.</translation>
    </message>
    <message>
        <source>{name} was not loaded by the module DICOM, so there is no series that a DICOM segmentation could refer to. Load the CT from Slicer&apos;s DICOM database and segment it, or save the segmentation as an image.</source>
        <translation>{name} wurde nicht vom Modul DICOM geladen, also gibt es keine Serie, auf die sich eine DICOM-Segmentierung beziehen könnte. Laden Sie das CT aus Slicers DICOM-Datenbank und segmentieren Sie es, oder speichern Sie die Segmentierung als Bild.</translation>
    </message>
    <message>
        <source>{missing} of the {count} DICOM files of {name} are no longer where Slicer&apos;s DICOM database says. Import the series again.</source>
        <translation>{missing} der {count} DICOM-Dateien von {name} sind nicht mehr dort, wo Slicers DICOM-Datenbank sie vermerkt hat. Importieren Sie die Serie noch einmal.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_input</name>
    <message>
        <source>{folder} has no CT series in it that Slicer&apos;s batch can read.</source>
        <translation>{folder} enthält keine CT-Serie, die der Stapel lesen kann.</translation>
    </message>
    <message>
        <source>The folder has {count} CT series; the one of the most slices was taken, {slices}: {name}.</source>
        <translation>Der Ordner hat {count} CT-Serien; genommen wurde die mit den meisten Schichten, {slices}: {name}.</translation>
    </message>
    <message>
        <source>{folder} has a series of several slices in one file; load it by the module DICOM.</source>
        <translation>{folder} enthält eine Serie mit mehreren Schichten in einer Datei; laden Sie sie mit dem Modul DICOM.</translation>
    </message>
    <message>
        <source>The slices in {folder} differ in {tag}; one value was expected.</source>
        <translation>Die Schichten in {folder} unterscheiden sich in {tag}; erwartet wurde ein einziger Wert.</translation>
    </message>
    <message>
        <source>{folder} has {count} slices; at least 3 were expected.</source>
        <translation>{folder} hat {count} Schichten; erwartet wurden mindestens 3.</translation>
    </message>
    <message>
        <source>The slices in {folder} do not follow each other evenly: {low:.2f} to {high:.2f} mm lie between them. Slices are missing, or there are several scans in one series.</source>
        <translation>Die Schichten in {folder} folgen nicht gleichmäßig aufeinander: {low:.2f} bis {high:.2f} mm liegen zwischen ihnen. Schichten fehlen, oder mehrere Scans sind in einer Serie.</translation>
    </message>
    <message>
        <source>The gantry was tilted by {tilt:.1f} degrees in {folder}. Load it by the module DICOM, resample it by the module Crop Volume, and segment that volume.</source>
        <translation>Die Gantry war in {folder} um {tilt:.1f} Grad geneigt. Laden Sie die Serie mit dem Modul DICOM, tasten Sie sie mit dem Modul Crop Volume neu ab und segmentieren Sie das neue Volumen.</translation>
    </message>
    <message>
        <source>{folder} cannot be read by Slicer.</source>
        <translation>{folder} kann von Slicer nicht gelesen werden.</translation>
    </message>
    <message>
        <source>Slicer read {found} of the {count} slices in {folder}; load it by the module DICOM.</source>
        <translation>Slicer hat {found} der {count} Schichten in {folder} gelesen; laden Sie die Serie mit dem Modul DICOM.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.engines</name>
    <message>
        <source>A GPU can be used: {names}.</source>
        <translation>Eine GPU kann verwendet werden: {names}.</translation>
    </message>
    <message>
        <source>No GPU is used: {reason}</source>
        <translation>Keine GPU wird verwendet: {reason}</translation>
    </message>
    <message>
        <source>No GPU is used: there is no NVIDIA driver on this computer.</source>
        <translation>Keine GPU wird verwendet: Auf diesem Rechner ist kein NVIDIA-Treiber.</translation>
    </message>
    <message>
        <source>No GPU is used: the libtorch that ggpfn runs on sees none that it can work with.</source>
        <translation>Keine GPU wird verwendet: Die libtorch, auf der ggpfn läuft, findet keine, mit der sie arbeiten kann.</translation>
    </message>
    <message>
        <source>It runs in this process.</source>
        <translation>Gerechnet wird in diesem Prozess.</translation>
    </message>
    <message>
        <source>It runs in a separate process, the program ggpfn. {reason}</source>
        <translation>Gerechnet wird in einem eigenen Prozess, dem Programm ggpfn. {reason}</translation>
    </message>
    <message>
        <source>libtorch {version}.</source>
        <translation>libtorch {version}.</translation>
    </message>
    <message>
        <source>each scan&apos;s own</source>
        <translation>der des jeweiligen Scans</translation>
    </message>
    <message>
        <source>Views: {views}, {parameters:,} parameters each</source>
        <translation>Ansichten: {views}, je {parameters:,} Parameter</translation>
    </message>
    <message>
        <source>{slices} slices for one, {fusion}, {guidance}</source>
        <translation>{slices} Schichten für eine, {fusion}, {guidance}</translation>
    </message>
    <message>
        <source>fused progressively</source>
        <translation>schrittweise fusioniert</translation>
    </message>
    <message>
        <source>fused at once</source>
        <translation>auf einmal fusioniert</translation>
    </message>
    <message>
        <source>global guidance</source>
        <translation>globale Führung</translation>
    </message>
    <message>
        <source>no global guidance</source>
        <translation>keine globale Führung</translation>
    </message>
    <message>
        <source>Spacing: {spacing}; window {low:g} to {high:g} HU; threshold {threshold:g}</source>
        <translation>Voxelabstand: {spacing}; Fenster {low:g} bis {high:g} HU; Schwellenwert {threshold:g}</translation>
    </message>
    <message>
        <source>SHA-256: {hash}</source>
        <translation>SHA-256: {hash}</translation>
    </message>
    <message>
        <source>For research only, not for clinical use.</source>
        <translation>Nur für die Forschung, nicht für den klinischen Gebrauch.</translation>
    </message>
    <message>
        <source>Trained on synthetic CTs and parts of real ones; on real CTs its predecessor reached a mean Dice of {dice} (0.00 to 0.83).</source>
        <translation>Mit synthetischen CTs und Teilen echter trainiert; auf echten CTs erreichte sein Vorgänger einen mittleren Dice von {dice} (0,00 bis 0,83).</translation>
    </message>
    <message>
        <source>Untrained</source>
        <translation>Untrainiert</translation>
    </message>
    <message>
        <source>Trained by ggpfn {version}</source>
        <translation>Trainiert mit ggpfn {version}</translation>
    </message>
    <message>
        <source>{low} to {high} cases</source>
        <translation>{low} bis {high} Fälle</translation>
    </message>
    <message>
        <source>{low} cases</source>
        <translation>{low} Fälle</translation>
    </message>
    <message>
        <source>validation Dice {low:.2f} to {high:.2f}</source>
        <translation>Dice bei der Validierung {low:.2f} bis {high:.2f}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.errors</name>
    <message>
        <source>The library of ggpfn was not found. Install the extension again, or name the folder that has it under Advanced, Library.

{reason}</source>
        <translation>Die Bibliothek von ggpfn wurde nicht gefunden. Installieren Sie die Erweiterung neu, oder geben Sie den Ordner der Bibliothek unter „Erweitert“, „Bibliothek“ an.

{reason}</translation>
    </message>
    <message>
        <source>The library of ggpfn cannot be used here. Install the version that belongs to this extension, and the program ggpfn beside it, which works in a process of its own.

{reason}</source>
        <translation>Die Bibliothek von ggpfn kann hier nicht verwendet werden. Installieren Sie die Version, die zu dieser Erweiterung gehört, und daneben das Programm ggpfn, das in einem eigenen Prozess arbeitet.

{reason}</translation>
    </message>
    <message>
        <source>The model cannot be used. Choose another file, or the model that is shipped.

{reason}</source>
        <translation>Das Modell kann nicht verwendet werden. Wählen Sie eine andere Datei oder das mitgelieferte Modell.

{reason}</translation>
    </message>
    <message>
        <source>There is not enough memory. Choose a region of interest, crop to the body, use fewer views, or tick patches under Advanced.

{reason}</source>
        <translation>Der Speicher reicht nicht. Wählen Sie eine Region, beschränken Sie den Umfang auf den Körper, verwenden Sie weniger Ansichten, oder haken Sie unter „Erweitert“ die Kacheln an.

{reason}</translation>
    </message>
    <message>
        <source>The volume cannot be segmented.

{reason}</source>
        <translation>Das Volumen kann nicht segmentiert werden.

{reason}</translation>
    </message>
    <message>
        <source>The program ggpfn ended before its work was done; the system may have stopped it for lack of memory. Press Apply to start it again, with a smaller region if this comes back.

{reason}</source>
        <translation>Das Programm ggpfn endete vor seiner Arbeit; vielleicht hat das System es beendet, weil der Speicher fehlte. Drücken Sie „Anwenden“, um es neu zu starten, mit einer kleineren Region, falls das wieder vorkommt.

{reason}</translation>
    </message>
    <message>
        <source>A file cannot be read or written: {reason}</source>
        <translation>Eine Datei kann nicht gelesen oder geschrieben werden: {reason}</translation>
    </message>
    <message>
        <source>The module has a fault: {reason}. Please report it with the lines of the error log.</source>
        <translation>Das Modul hat einen Fehler: {reason}. Bitte melden Sie ihn mit den Zeilen des Fehlerprotokolls.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.measurements</name>
    <message>
        <source>Measurement</source>
        <translation>Messgröße</translation>
    </message>
    <message>
        <source>Value</source>
        <translation>Wert</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>Volumen (ml)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>Mittelwert (HU)</translation>
    </message>
    <message>
        <source>Standard deviation (HU)</source>
        <translation>Standardabweichung (HU)</translation>
    </message>
    <message>
        <source>Bounding box (mm)</source>
        <translation>Umschließender Quader (mm)</translation>
    </message>
    <message>
        <source>Centre R, A, S (mm)</source>
        <translation>Schwerpunkt R, A, S (mm)</translation>
    </message>
    <message>
        <source>Connected components</source>
        <translation>Zusammenhängende Komponenten</translation>
    </message>
    <message>
        <source>Voxels</source>
        <translation>Voxel</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>Schwellenwert</translation>
    </message>
    <message>
        <source>edited by hand</source>
        <translation>von Hand bearbeitet</translation>
    </message>
    <message>
        <source>Agreement {views} (Dice)</source>
        <translation>Übereinstimmung {views} (Dice)</translation>
    </message>
    <message>
        <source>Computed on</source>
        <translation>Gerechnet auf</translation>
    </message>
    <message>
        <source>Dice</source>
        <translation>Dice</translation>
    </message>
    <message>
        <source>Jaccard</source>
        <translation>Jaccard</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Präzision</translation>
    </message>
    <message>
        <source>Recall</source>
        <translation>Sensitivität</translation>
    </message>
    <message>
        <source>Volume of the truth (mL)</source>
        <translation>Volumen der Wahrheit (ml)</translation>
    </message>
    <message>
        <source>Difference of volumes (%)</source>
        <translation>Unterschied der Volumen (%)</translation>
    </message>
    <message>
        <source>95 % surface distance (mm)</source>
        <translation>95 % der Oberflächenabstände (mm)</translation>
    </message>
    <message>
        <source>Mean surface distance (mm)</source>
        <translation>Mittlerer Oberflächenabstand (mm)</translation>
    </message>
    <message>
        <source>The segment is empty.</source>
        <translation>Das Segment ist leer.</translation>
    </message>
    <message>
        <source>No pancreas was found at a threshold of {threshold:.2f}; try a lower one.</source>
        <translation>Beim Schwellenwert {threshold:.2f} wurde kein Pankreas gefunden; versuchen Sie einen niedrigeren.</translation>
    </message>
    <message>
        <source>{volume:.1f} mL, {hu:.0f} HU on average</source>
        <translation>{volume:.1f} ml, im Mittel {hu:.0f} HU</translation>
    </message>
    <message>
        <source>Expected Dice {dice:.2f}</source>
        <translation>Erwarteter Dice {dice:.2f}</translation>
    </message>
    <message>
        <source>{text} at the threshold of {threshold:.2f}</source>
        <translation>{text} beim Schwellenwert {threshold:.2f}</translation>
    </message>
    <message>
        <source>Doubtful, look before you use it. {text}</source>
        <translation>Zweifelhaft, vor der Verwendung ansehen. {text}</translation>
    </message>
    <message>
        <source>Of the mask before it was edited by hand</source>
        <translation>Von der Maske vor der Bearbeitung von Hand</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>Pankreassegmentierung</translation>
    </message>
    <message>
        <source>{volume:.1f} mL</source>
        <translation>{volume:.1f} ml</translation>
    </message>
    <message>
        <source>Model file</source>
        <translation>Modelldatei</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>Modelle (*.safetensors)</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>This process</source>
        <translation>Dieser Prozess</translation>
    </message>
    <message>
        <source>A separate process</source>
        <translation>Ein eigener Prozess</translation>
    </message>
    <message>
        <source>Folder of the library of ggpfn</source>
        <translation>Ordner der Bibliothek von ggpfn</translation>
    </message>
    <message>
        <source>Needs about {need} of memory</source>
        <translation>Braucht etwa {need} Speicher</translation>
    </message>
    <message>
        <source>, of {free} that are free</source>
        <translation>, von {free} freiem</translation>
    </message>
    <message>
        <source>, and {need} on the GPU</source>
        <translation>, und {need} auf der GPU</translation>
    </message>
    <message>
        <source>That is too little: choose a smaller region or fewer views.</source>
        <translation>Das ist zu wenig: Wählen Sie eine kleinere Region oder weniger Ansichten.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_result</name>
    <message>
        <source>The segment was edited by hand, so the threshold leaves it alone.</source>
        <translation>Das Segment wurde von Hand bearbeitet, daher ändert der Schwellenwert es nicht.</translation>
    </message>
    <message>
        <source>The measurements are of the mask before.</source>
        <translation>Die Messwerte sind von der Maske davor.</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>Als DICOM SEG exportieren</translation>
    </message>
    <message>
        <source>DICOM files (*.dcm)</source>
        <translation>DICOM-Dateien (*.dcm)</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_sections</name>
    <message>
        <source>Click on one corner of the region in a slice, then on the opposite one.</source>
        <translation>Klicken Sie in einer Schicht auf eine Ecke der Region, dann auf die gegenüberliegende.</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>Region</translation>
    </message>
    <message>
        <source>Folder of scans</source>
        <translation>Ordner mit Scans</translation>
    </message>
    <message>
        <source>Folder to write to</source>
        <translation>Ordner zum Schreiben</translation>
    </message>
    <message>
        <source>Volume</source>
        <translation>Volumen</translation>
    </message>
    <message>
        <source>Corrected</source>
        <translation>Korrigiert</translation>
    </message>
    <message>
        <source>Choose a volume and its corrected segmentation first.</source>
        <translation>Wählen Sie zuerst ein Volumen und seine korrigierte Segmentierung.</translation>
    </message>
    <message>
        <source>New model</source>
        <translation>Neues Modell</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>Modelle (*.safetensors)</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.parameters</name>
    <message>
        <source>axial</source>
        <translation>axial</translation>
    </message>
    <message>
        <source>sagittal</source>
        <translation>sagittal</translation>
    </message>
    <message>
        <source>coronal</source>
        <translation>koronal</translation>
    </message>
    <message>
        <source>Whole volume</source>
        <translation>Ganzes Volumen</translation>
    </message>
    <message>
        <source>Crop to the body</source>
        <translation>Auf den Körper beschränken</translation>
    </message>
    <message>
        <source>Region of interest</source>
        <translation>Region</translation>
    </message>
    <message>
        <source>Shipped with ggpfn</source>
        <translation>Mit ggpfn geliefert</translation>
    </message>
    <message>
        <source>A file of my own</source>
        <translation>Eine eigene Datei</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation>Prozessor (CPU)</translation>
    </message>
    <message>
        <source>Graphics card (GPU)</source>
        <translation>Grafikkarte (GPU)</translation>
    </message>
    <message>
        <source>32 bits, exact</source>
        <translation>32 Bit, genau</translation>
    </message>
    <message>
        <source>16 bits, fast</source>
        <translation>16 Bit, schnell</translation>
    </message>
    <message>
        <source>Volumes of the scene</source>
        <translation>Volumen der Szene</translation>
    </message>
    <message>
        <source>A sequence</source>
        <translation>Eine Sequenz</translation>
    </message>
    <message>
        <source>Files in a folder</source>
        <translation>Dateien in einem Ordner</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.remedies</name>
    <message>
        <source>Replace the voxels of {name} that are not numbers by air, {hu} HU? Its file stays as it is.</source>
        <translation>Die Voxel von {name}, die keine Zahlen sind, durch Luft ersetzen, {hu} HU? Die Datei bleibt, wie sie ist.</translation>
    </message>
    <message>
        <source>Go on with patches of 256 x 256, which take less of the GPU&apos;s memory?</source>
        <translation>Mit Kacheln von 256 x 256 weitermachen, die weniger Speicher der GPU brauchen?</translation>
    </message>
    <message>
        <source>Go on with the processor instead of the GPU? It takes longer.</source>
        <translation>Mit dem Prozessor statt der GPU weitermachen? Das dauert länger.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.rest</name>
    <message>
        <source>Measuring {name}</source>
        <translation>{name} wird gemessen</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>Das Volumen oder die Segmentierung wurde während der Messung gelöscht.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_input</name>
    <message>
        <source>Choose a CT volume first.</source>
        <translation>Wählen Sie zuerst ein CT-Volumen.</translation>
    </message>
    <message>
        <source>{name} is a label map; choose the CT itself.</source>
        <translation>{name} ist eine Labelkarte; wählen Sie das CT selbst.</translation>
    </message>
    <message>
        <source>{name} has no voxels; load it again.</source>
        <translation>{name} hat keine Voxel; laden Sie es noch einmal.</translation>
    </message>
    <message>
        <source>{name} has {count} numbers at each voxel: a colour image, or a 4D scan that was loaded as one volume. Load it as a volume sequence, and choose one of its volumes here, or all under Batch.</source>
        <translation>{name} hat {count} Zahlen je Voxel: ein Farbbild oder ein 4D-Scan, der als ein Volumen geladen wurde. Laden Sie ihn als Volumensequenz und wählen Sie hier eines ihrer Volumen, oder alle unter „Stapel“.</translation>
    </message>
    <message>
        <source>{name} has a spacing of {spacing} mm; set it in the module Volumes, under Volume Information.</source>
        <translation>{name} hat einen Voxelabstand von {spacing} mm; stellen Sie ihn im Modul Volumes unter Volume Information ein.</translation>
    </message>
    <message>
        <source>The axes of {name} are not perpendicular, as with a tilted gantry. Resample it by the module Crop Volume, with interpolation, and choose the volume that it makes.</source>
        <translation>Die Achsen von {name} stehen nicht senkrecht aufeinander, wie bei geneigter Gantry. Tasten Sie es mit dem Modul Crop Volume mit Interpolation neu ab und wählen Sie das neue Volumen.</translation>
    </message>
    <message>
        <source>{name} is only {count} slices thick; the result will be poor.</source>
        <translation>{name} ist nur {count} Schichten dick; das Ergebnis wird schlecht.</translation>
    </message>
    <message>
        <source>{name} has no value below -200, as air has in Hounsfield units. Is it a CT?</source>
        <translation>{name} hat keinen Wert unter -200, wie ihn Luft in Hounsfield-Einheiten hat. Ist es ein CT?</translation>
    </message>
    <message>
        <source>No body was found: nothing in the volume is denser than air. Use the whole volume.</source>
        <translation>Es wurde kein Körper gefunden: Nichts im Volumen ist dichter als Luft. Verwenden Sie das ganze Volumen.</translation>
    </message>
    <message>
        <source>Choose a region of interest, or place one around the upper abdomen.</source>
        <translation>Wählen Sie eine Region, oder platzieren Sie eine um den Oberbauch.</translation>
    </message>
    <message>
        <source>The region of interest lies outside of the volume; move it onto the upper abdomen.</source>
        <translation>Die Region liegt außerhalb des Volumens; verschieben Sie sie auf den Oberbauch.</translation>
    </message>
    <message>
        <source>{name} cannot be brought onto the grid of {volume}; do they belong together?</source>
        <translation>{name} lässt sich nicht auf das Gitter von {volume} bringen; gehören sie zusammen?</translation>
    </message>
    <message>
        <source>{name} has no segments.</source>
        <translation>{name} hat keine Segmente.</translation>
    </message>
    <message>
        <source>{name} has {count} segments, and none is called pancreas; rename the one that is meant.</source>
        <translation>{name} hat {count} Segmente, und keines heißt Pankreas („pancreas“); benennen Sie das gemeinte um.</translation>
    </message>
    <message>
        <source>{path} is missing or is no image that Slicer can read.</source>
        <translation>{path} fehlt oder ist kein Bild, das Slicer lesen kann.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_output</name>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} Pankreas</translation>
    </message>
    <message>
        <source>pancreas</source>
        <translation>Pankreas</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.segmenting</name>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>Haken Sie unter „Erweitert“ mindestens eine Ansicht an.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Wählen Sie eine Modelldatei oder das mitgelieferte Modell.</translation>
    </message>
    <message>
        <source>Segmenting {name}</source>
        <translation>{name} wird segmentiert</translation>
    </message>
    <message>
        <source>{name} uncertainty</source>
        <translation>{name} Unsicherheit</translation>
    </message>
    <message>
        <source>{name} probability</source>
        <translation>{name} Wahrscheinlichkeit</translation>
    </message>
    <message>
        <source>{name} measurements</source>
        <translation>{name} Messwerte</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} wurde von Hand bearbeitet und bleibt, wie es ist; das Ergebnis ist in {new}.</translation>
    </message>
    <message>
        <source>The model has the views {views} alone; tick one of them under Advanced.</source>
        <translation>Das Modell hat nur die Ansichten {views}; haken Sie eine davon unter „Erweitert“ an.</translation>
    </message>
    <message>
        <source>All weights of the views are 0; give one of them a weight under Advanced.</source>
        <translation>Alle Gewichte der Ansichten sind 0; geben Sie einer von ihnen unter „Erweitert“ ein Gewicht.</translation>
    </message>
    <message>
        <source>Choose the segmentation that is to be measured under Result.</source>
        <translation>Wählen Sie unter „Ergebnis“ die Segmentierung, die gemessen werden soll.</translation>
    </message>
    <message>
        <source>Measuring {name}</source>
        <translation>{name} wird gemessen</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>Das Volumen oder die Segmentierung wurde während der Messung gelöscht.</translation>
    </message>
    <message>
        <source>Looking at the library</source>
        <translation>Die Bibliothek wird befragt</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.tasks</name>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>Abgebrochen, da die Szene geschlossen wurde.</translation>
    </message>
    <message>
        <source>The volume was deleted during the work, so the result was dropped. Choose another volume.</source>
        <translation>Das Volumen wurde während der Arbeit gelöscht, daher wurde das Ergebnis verworfen. Wählen Sie ein anderes Volumen.</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>Lesen</translation>
    </message>
    <message>
        <source>Resampling</source>
        <translation>Neuabtastung</translation>
    </message>
    <message>
        <source>Axial view</source>
        <translation>Axiale Ansicht</translation>
    </message>
    <message>
        <source>Sagittal view</source>
        <translation>Sagittale Ansicht</translation>
    </message>
    <message>
        <source>Coronal view</source>
        <translation>Koronale Ansicht</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Ergebnis</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>{phase}: {percent:.0f} %</source>
        <translation>{phase}: {percent:.0f} %</translation>
    </message>
    <message>
        <source>{minutes}:{seconds:02} left</source>
        <translation>noch {minutes}:{seconds:02}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.training</name>
    <message>
        <source>loss</source>
        <translation>Verlust</translation>
    </message>
    <message>
        <source>validation Dice</source>
        <translation>Dice bei der Validierung</translation>
    </message>
    <message>
        <source>Add at least one pair of a volume and its corrected segmentation.</source>
        <translation>Fügen Sie mindestens ein Paar aus einem Volumen und seiner korrigierten Segmentierung hinzu.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Wählen Sie eine Modelldatei oder das mitgelieferte Modell.</translation>
    </message>
    <message>
        <source>Add a second pair to validate on, or untick the validation.</source>
        <translation>Fügen Sie zum Validieren ein zweites Paar hinzu, oder haken Sie die Validierung ab.</translation>
    </message>
    <message>
        <source>Fine-tuning</source>
        <translation>Nachtraining</translation>
    </message>
    <message>
        <source>The new model is in {path} and is chosen now.</source>
        <translation>Das neue Modell ist in {path} und ist jetzt ausgewählt.</translation>
    </message>
    <message>
        <source>Validation Dice {low:.2f} to {high:.2f}.</source>
        <translation>Dice bei der Validierung {low:.2f} bis {high:.2f}.</translation>
    </message>
    <message>
        <source>A volume of the training was deleted, so the training was stopped.</source>
        <translation>Ein Volumen des Trainings wurde gelöscht, daher wurde das Training beendet.</translation>
    </message>
    <message>
        <source>step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>{name} has no pancreas within {volume}; correct the pair.</source>
        <translation>{name} hat kein Pankreas innerhalb von {volume}; korrigieren Sie das Paar.</translation>
    </message>
</context>
<context>
    <name>qSlicerAbstractCoreModule</name>
    <message>
        <source>Segmentation</source>
        <translation>Segmentierung</translation>
    </message>
</context>
</TS>
