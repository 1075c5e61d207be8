<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="es">
<context>
    <name>PancreasSegmentation</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>Segmentación del páncreas</translation>
    </message>
    <message>
        <source>Finds the pancreas in CT with the Globally Guided Progressive Fusion Network (GGPFN). Choose a volume and press Apply; then move the threshold. For research, not for clinical use. See the tutorial in the extension&apos;s folder Docs.</source>
        <translation>Encuentra el páncreas en la TC con la Globally Guided Progressive Fusion Network (GGPFN). Elija un volumen y pulse Aplicar; después mueva el umbral. Para investigación, no para uso clínico. El tutorial está en la carpeta Docs de la extensión.</translation>
    </message>
    <message>
        <source>After Chaowei Fang and others: Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, MICCAI 2019. The data that the shipped model was trained on is listed on its model card.</source>
        <translation>Según Chaowei Fang y otros: Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, MICCAI 2019. Los datos con los que se entrenó el modelo incluido figuran en su ficha.</translation>
    </message>
    <message>
        <source>Input</source>
        <translation>Entrada</translation>
    </message>
    <message>
        <source>CT volume:</source>
        <translation>Volumen de TC:</translation>
    </message>
    <message>
        <source>The CT, in Hounsfield units. For a sequence, its volume of the moment; all of them under Batch.</source>
        <translation>La TC, en unidades Hounsfield. De una secuencia, su volumen actual; todos ellos en Lote.</translation>
    </message>
    <message>
        <source>Extent:</source>
        <translation>Extensión:</translation>
    </message>
    <message>
        <source>The whole volume, the body without the air around it, or a box that you place. A smaller region is faster and needs less memory.</source>
        <translation>El volumen entero, el cuerpo sin el aire que lo rodea o una caja que usted coloca. Una región menor es más rápida y necesita menos memoria.</translation>
    </message>
    <message>
        <source>Region:</source>
        <translation>Región:</translation>
    </message>
    <message>
        <source>The box to look at. A new one is laid around the body; drag its handles to the upper abdomen.</source>
        <translation>La caja que se examina. Una nueva se coloca alrededor del cuerpo; arrastre sus asas hacia la parte superior del abdomen.</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>Región</translation>
    </message>
    <message>
        <source>Lays the region around the body, along the volume&apos;s axes.</source>
        <translation>Coloca la región alrededor del cuerpo, a lo largo de los ejes del volumen.</translation>
    </message>
    <message>
        <source>Fit to body</source>
        <translation>Ajustar al cuerpo</translation>
    </message>
    <message>
        <source>Draws the region anew by two clicks in the slices, from one corner to the other.</source>
        <translation>Dibuja la región de nuevo con dos clics en los cortes, de una esquina a la otra.</translation>
    </message>
    <message>
        <source>Place</source>
        <translation>Colocar</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modelo</translation>
    </message>
    <message>
        <source>Model:</source>
        <translation>Modelo:</translation>
    </message>
    <message>
        <source>The small model that ships with ggpfn, or a model file of your own.</source>
        <translation>El modelo pequeño incluido en ggpfn, o un archivo de modelo propio.</translation>
    </message>
    <message>
        <source>File:</source>
        <translation>Archivo:</translation>
    </message>
    <message>
        <source>A model file, .safetensors.</source>
        <translation>Un archivo de modelo, .safetensors.</translation>
    </message>
    <message>
        <source>Choose a model file.</source>
        <translation>Elige un archivo de modelo.</translation>
    </message>
    <message>
        <source>...</source>
        <translation>...</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Detalles</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Resultado</translation>
    </message>
    <message>
        <source>Segmentation:</source>
        <translation>Segmentación:</translation>
    </message>
    <message>
        <source>Where the pancreas goes, as a segment of its own. Other segments stay, and so does a pancreas that you have edited.</source>
        <translation>Adónde va el páncreas, como segmento propio. Los demás segmentos se conservan, y también un páncreas que usted haya editado.</translation>
    </message>
    <message>
        <source>New segmentation</source>
        <translation>Nueva segmentación</translation>
    </message>
    <message>
        <source>Threshold:</source>
        <translation>Umbral:</translation>
    </message>
    <message>
        <source>Voxels of at least this probability are pancreas. After a run, moving this changes the result at once.</source>
        <translation>Los vóxeles con al menos esta probabilidad son páncreas. Tras un cálculo, el resultado cambia al instante.</translation>
    </message>
    <message>
        <source>Keeps the largest connected component; after a run it changes the result at once.</source>
        <translation>Conserva solo el mayor componente conexo; tras un cálculo, el resultado cambia al instante.</translation>
    </message>
    <message>
        <source>Largest component only</source>
        <translation>Solo el mayor componente</translation>
    </message>
    <message>
        <source>Shows the segmentation in 3D, or hides it there.</source>
        <translation>Muestra la segmentación en 3D, o la oculta allí.</translation>
    </message>
    <message>
        <source>Show 3D</source>
        <translation>Mostrar en 3D</translation>
    </message>
    <message>
        <source>Finds the pancreas.</source>
        <translation>Busca el páncreas.</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>Aplicar</translation>
    </message>
    <message>
        <source>Stops the work at once.</source>
        <translation>Detiene el trabajo al instante.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Cancelar</translation>
    </message>
    <message>
        <source>How far the result of the last run can be trusted.</source>
        <translation>Hasta qué punto se puede confiar en el resultado del último cálculo.</translation>
    </message>
    <message>
        <source>Replaces your corrections by the result of the last run, at the threshold above. They can be brought back.</source>
        <translation>Sustituye sus correcciones por el resultado del último cálculo, con el umbral de arriba. Se pueden recuperar.</translation>
    </message>
    <message>
        <source>Replace by the result</source>
        <translation>Sustituir por el resultado</translation>
    </message>
    <message>
        <source>Brings back the corrections that were replaced.</source>
        <translation>Recupera las correcciones sustituidas.</translation>
    </message>
    <message>
        <source>Restore the corrections</source>
        <translation>Recuperar las correcciones</translation>
    </message>
    <message>
        <source>Goes to the Segment Editor with this segmentation and its CT.</source>
        <translation>Abre el módulo Segment Editor con esta segmentación y su TC.</translation>
    </message>
    <message>
        <source>Edit in Segment Editor</source>
        <translation>Editar en Segment Editor</translation>
    </message>
    <message>
        <source>Writes a DICOM segmentation that refers to the CT, which has to be loaded by the module DICOM: by the extension Quantitative Reporting if it is installed, else to a file.</source>
        <translation>Escribe una segmentación DICOM que hace referencia a la TC, que debe estar cargada por el módulo DICOM: con la extensión Quantitative Reporting si está instalada, si no en un archivo.</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>Exportar como DICOM SEG</translation>
    </message>
    <message>
        <source>What the model is fit for. More under Model, Details.</source>
        <translation>Para qué sirve el modelo. Más en Modelo, Detalles.</translation>
    </message>
    <message>
        <source>Measurements</source>
        <translation>Mediciones</translation>
    </message>
    <message>
        <source>The pancreas in numbers. The same table is a node of the scene.</source>
        <translation>El páncreas en cifras. La misma tabla es un nodo de la escena.</translation>
    </message>
    <message>
        <source>Measures the segment as it is now, with your corrections.</source>
        <translation>Mide el segmento tal como está, con sus correcciones.</translation>
    </message>
    <message>
        <source>Measure again</source>
        <translation>Medir de nuevo</translation>
    </message>
    <message>
        <source>Opens a layout with the table beside the slices, from which it can be copied.</source>
        <translation>Abre una disposición con la tabla junto a los cortes, de donde se puede copiar.</translation>
    </message>
    <message>
        <source>Show table</source>
        <translation>Mostrar la tabla</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>Avanzado</translation>
    </message>
    <message>
        <source>Axial:</source>
        <translation>Axial:</translation>
    </message>
    <message>
        <source>Looks at axial slices.</source>
        <translation>Examina los cortes axiales.</translation>
    </message>
    <message>
        <source>Use, weight</source>
        <translation>Usar, peso</translation>
    </message>
    <message>
        <source>Sagittal:</source>
        <translation>Sagital:</translation>
    </message>
    <message>
        <source>Looks at sagittal slices.</source>
        <translation>Examina los cortes sagitales.</translation>
    </message>
    <message>
        <source>Coronal:</source>
        <translation>Coronal:</translation>
    </message>
    <message>
        <source>Looks at coronal slices.</source>
        <translation>Examina los cortes coronales.</translation>
    </message>
    <message>
        <source>How much each view counts; they are scaled to add up to 1.</source>
        <translation>Cuánto cuenta cada vista; se escalan para que sumen 1.</translation>
    </message>
    <message>
        <source>Weights of my own instead of the model&apos;s</source>
        <translation>Pesos propios en lugar de los del modelo</translation>
    </message>
    <message>
        <source>Device:</source>
        <translation>Dispositivo:</translation>
    </message>
    <message>
        <source>Where to compute.</source>
        <translation>Dónde se calcula.</translation>
    </message>
    <message>
        <source>Precision:</source>
        <translation>Precisión:</translation>
    </message>
    <message>
        <source>16 bits are faster on recent processors and GPUs; probabilities differ by up to about 0.01.</source>
        <translation>Con 16 bits es más rápido en procesadores y GPU recientes; las probabilidades difieren en 0,01 como mucho, más o menos.</translation>
    </message>
    <message>
        <source>Cuts slices into patches of 256 x 256.</source>
        <translation>Corta los cortes en teselas de 256 x 256.</translation>
    </message>
    <message>
        <source>Patches, for GPUs with little memory</source>
        <translation>Teselas, para GPU con poca memoria</translation>
    </message>
    <message>
        <source>Dice between the views&apos; own results, in the table.</source>
        <translation>Dice entre los resultados de cada vista, en la tabla.</translation>
    </message>
    <message>
        <source>Agreement between the views</source>
        <translation>Acuerdo entre las vistas</translation>
    </message>
    <message>
        <source>Adds a volume with the fused probability, 0 to 1.</source>
        <translation>Añade un volumen con la probabilidad fusionada, de 0 a 1.</translation>
    </message>
    <message>
        <source>Probability map</source>
        <translation>Mapa de probabilidad</translation>
    </message>
    <message>
        <source>Adds a volume with the views&apos; disagreement: the standard deviation of their probabilities, 0 to 0.5.</source>
        <translation>Añade un volumen con el desacuerdo de las vistas: la desviación estándar de sus probabilidades, de 0 a 0,5.</translation>
    </message>
    <message>
        <source>Uncertainty map</source>
        <translation>Mapa de incertidumbre</translation>
    </message>
    <message>
        <source>Run in:</source>
        <translation>Ejecutar en:</translation>
    </message>
    <message>
        <source>This process is fastest. A separate process is for a Slicer whose Python has a libtorch of its own. Automatic: this process, unless it has one.</source>
        <translation>Este proceso es lo más rápido. Un proceso aparte es para un Slicer cuyo Python tiene su propia libtorch. Automático: este proceso, salvo que la tenga.</translation>
    </message>
    <message>
        <source>Library:</source>
        <translation>Biblioteca:</translation>
    </message>
    <message>
        <source>The folder of libggpfn. Empty: where the extension has it.</source>
        <translation>La carpeta de libggpfn. Vacío: donde la tiene la extensión.</translation>
    </message>
    <message>
        <source>Choose the folder.</source>
        <translation>Elige la carpeta.</translation>
    </message>
    <message>
        <source>Batch</source>
        <translation>Lote</translation>
    </message>
    <message>
        <source>Scans:</source>
        <translation>Estudios:</translation>
    </message>
    <message>
        <source>What to go through, with the settings above.</source>
        <translation>Lo que se recorre, con los ajustes de arriba.</translation>
    </message>
    <message>
        <source>Tick the volumes.</source>
        <translation>Marque los volúmenes.</translation>
    </message>
    <message>
        <source>Sequence:</source>
        <translation>Secuencia:</translation>
    </message>
    <message>
        <source>A sequence of CT volumes.</source>
        <translation>Una secuencia de volúmenes de TC.</translation>
    </message>
    <message>
        <source>Folder:</source>
        <translation>Carpeta:</translation>
    </message>
    <message>
        <source>A folder of image files (NIfTI, NRRD, MetaImage) and of folders with DICOM series.</source>
        <translation>Una carpeta de archivos de imagen (NIfTI, NRRD, MetaImage) y de carpetas con series DICOM.</translation>
    </message>
    <message>
        <source>Write to:</source>
        <translation>Escribir en:</translation>
    </message>
    <message>
        <source>Where segmentations and a table go. Empty: beside the scans.</source>
        <translation>Adónde van las segmentaciones y una tabla. Vacío: junto a los estudios.</translation>
    </message>
    <message>
        <source>One scan after the other; what fails is a line in the table.</source>
        <translation>Un estudio tras otro; lo que falla es una línea de la tabla.</translation>
    </message>
    <message>
        <source>Segment all</source>
        <translation>Segmentar todo</translation>
    </message>
    <message>
        <source>Fine-tune</source>
        <translation>Ajuste fino</translation>
    </message>
    <message>
        <source>Volume:</source>
        <translation>Volumen:</translation>
    </message>
    <message>
        <source>A CT of the scene.</source>
        <translation>Una TC de la escena.</translation>
    </message>
    <message>
        <source>Corrected:</source>
        <translation>Corregida:</translation>
    </message>
    <message>
        <source>Its segmentation, corrected by hand.</source>
        <translation>Su segmentación, corregida a mano.</translation>
    </message>
    <message>
        <source>Adds the two above to the training.</source>
        <translation>Añade los dos de arriba al entrenamiento.</translation>
    </message>
    <message>
        <source>Add pair</source>
        <translation>Añadir par</translation>
    </message>
    <message>
        <source>Removes the pair that is selected.</source>
        <translation>Quita el par seleccionado.</translation>
    </message>
    <message>
        <source>Remove pair</source>
        <translation>Quitar par</translation>
    </message>
    <message>
        <source>The pairs that the model learns from.</source>
        <translation>Los pares de los que aprende el modelo.</translation>
    </message>
    <message>
        <source>The last pair is not learnt from; it shows how good the model has become, and chooses the best one.</source>
        <translation>Del último par no se aprende; muestra lo bueno que es ya el modelo y elige el mejor.</translation>
    </message>
    <message>
        <source>Validate on the last pair</source>
        <translation>Validar con el último par</translation>
    </message>
    <message>
        <source>Epochs:</source>
        <translation>Épocas:</translation>
    </message>
    <message>
        <source>How often the model goes through the pairs.</source>
        <translation>Cuántas veces recorre el modelo los pares.</translation>
    </message>
    <message>
        <source>Minutes at most:</source>
        <translation>Minutos como máximo:</translation>
    </message>
    <message>
        <source>0: as long as it takes.</source>
        <translation>0: lo que tarde.</translation>
    </message>
    <message>
        <source>New model:</source>
        <translation>Nuevo modelo:</translation>
    </message>
    <message>
        <source>The file that the new model goes to; one that is there already is not replaced, but gets a number. Empty: a new one in the folder ggpfn-models of your home.</source>
        <translation>El archivo del nuevo modelo; uno que ya exista no se sustituye, el nuevo recibe un número. Vacío: uno nuevo en la carpeta ggpfn-models de su directorio personal.</translation>
    </message>
    <message>
        <source>Choose the file.</source>
        <translation>Elige el archivo.</translation>
    </message>
    <message>
        <source>Goes on training the model that is chosen above.</source>
        <translation>Sigue entrenando el modelo elegido arriba.</translation>
    </message>
    <message>
        <source>Ends the training and keeps the best model so far.</source>
        <translation>Termina el entrenamiento y conserva el mejor modelo hasta ahora.</translation>
    </message>
    <message>
        <source>Stop and keep</source>
        <translation>Parar y conservar</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Comparar</translation>
    </message>
    <message>
        <source>What is to be judged.</source>
        <translation>Lo que se juzga.</translation>
    </message>
    <message>
        <source>Truth:</source>
        <translation>Verdad:</translation>
    </message>
    <message>
        <source>What it is judged by.</source>
        <translation>Con qué se compara.</translation>
    </message>
    <message>
        <source>Dice, volumes and distances of the surfaces.</source>
        <translation>Dice, volúmenes y distancias de las superficies.</translation>
    </message>
    <message>
        <source>How well the two agree. The same table is a node of the scene.</source>
        <translation>Hasta qué punto coinciden los dos. La misma tabla es un nodo de la escena.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.batch</name>
    <message>
        <source>Scan</source>
        <translation>Estudio</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>Volumen (ml)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>Media (HU)</translation>
    </message>
    <message>
        <source>Components</source>
        <translation>Componentes</translation>
    </message>
    <message>
        <source>Expected Dice</source>
        <translation>Dice esperado</translation>
    </message>
    <message>
        <source>Doubtful</source>
        <translation>Dudoso</translation>
    </message>
    <message>
        <source>Seconds</source>
        <translation>Segundos</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>Observación</translation>
    </message>
    <message>
        <source>The volume was deleted.</source>
        <translation>El volumen se eliminó.</translation>
    </message>
    <message>
        <source>The sequence was deleted.</source>
        <translation>La secuencia se eliminó.</translation>
    </message>
    <message>
        <source>{path} cannot be written.</source>
        <translation>{path} no se puede escribir.</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} se editó a mano y queda como está; el resultado está en {new}.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Elija un archivo de modelo, o el modelo incluido.</translation>
    </message>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>Marque al menos una vista en Avanzado.</translation>
    </message>
    <message>
        <source>Files of a folder lie in places of their own; crop to the body instead of a region.</source>
        <translation>Los archivos de una carpeta están en lugares distintos del espacio; limite la extensión al cuerpo en vez de a una región.</translation>
    </message>
    <message>
        <source>Segmenting {count} scans</source>
        <translation>Segmentando {count} estudios</translation>
    </message>
    <message>
        <source>Tick at least one volume.</source>
        <translation>Marque al menos un volumen.</translation>
    </message>
    <message>
        <source>Choose a sequence that has volumes in it.</source>
        <translation>Elija una secuencia que contenga volúmenes.</translation>
    </message>
    <message>
        <source>{name} is no sequence of volumes.</source>
        <translation>{name} no es una secuencia de volúmenes.</translation>
    </message>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} páncreas</translation>
    </message>
    <message>
        <source>yes</source>
        <translation>sí</translation>
    </message>
    <message>
        <source>no</source>
        <translation>no</translation>
    </message>
    <message>
        <source>{done} of {count} scans are segmented.</source>
        <translation>{done} de {count} estudios están segmentados.</translation>
    </message>
    <message>
        <source>The table says what became of the others.</source>
        <translation>La tabla dice qué ha sido de los demás.</translation>
    </message>
    <message>
        <source>{count} results are doubtful: look at them before you use them.</source>
        <translation>{count} resultados son dudosos: mírelos antes de usarlos.</translation>
    </message>
    <message>
        <source>Pancreas of many scans</source>
        <translation>Páncreas de varios estudios</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>Cancelado, porque se cerró la escena.</translation>
    </message>
    <message>
        <source>Scan {number} of {count}, {phase}</source>
        <translation>Estudio {number} de {count}, {phase}</translation>
    </message>
    <message>
        <source>Choose the folder that has the scans.</source>
        <translation>Elija la carpeta con los estudios.</translation>
    </message>
    <message>
        <source>There is no image in {folder}; {endings} and DICOM series are looked for.</source>
        <translation>No hay ninguna imagen en {folder}; se buscan {endings} y series DICOM.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.comparison</name>
    <message>
        <source>Choose two segmentations.</source>
        <translation>Elija dos segmentaciones.</translation>
    </message>
    <message>
        <source>Choose two different segmentations.</source>
        <translation>Elija dos segmentaciones distintas.</translation>
    </message>
    <message>
        <source>Comparing</source>
        <translation>Comparando</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentations as the input volume; its grid is needed.</source>
        <translation>Elija la TC de las segmentaciones como volumen de entrada; se necesita su rejilla.</translation>
    </message>
    <message>
        <source>Comparison</source>
        <translation>Comparación</translation>
    </message>
    <message>
        <source>Dice {dice:.3f}</source>
        <translation>Dice {dice:.3f}</translation>
    </message>
    <message>
        <source>A segmentation was deleted during the comparison.</source>
        <translation>Una segmentación se eliminó durante la comparación.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_export</name>
    <message>
        <source>Choose the segmentation that is to be exported under Result.</source>
        <translation>Elija en Resultado la segmentación que se ha de exportar.</translation>
    </message>
    <message>
        <source>Writing {path}</source>
        <translation>Escribiendo {path}</translation>
    </message>
    <message>
        <source>{path} was written: the pancreas on {slices} of {count} slices.</source>
        <translation>{path} está escrito: el páncreas en {slices} de {count} cortes.</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted while it was written.</source>
        <translation>El volumen o la segmentación se eliminó mientras se escribía.</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentation as the input volume.</source>
        <translation>Elija la TC de la segmentación como volumen de entrada.</translation>
    </message>
    <message>
        <source>{name} was not loaded by the module DICOM, so there is no series that a DICOM segmentation could refer to. Load the CT from Slicer&apos;s DICOM database and segment it, or save the segmentation as an image.</source>
        <translation>{name} no se cargó con el módulo DICOM, así que no hay ninguna serie a la que pueda hacer referencia una segmentación DICOM. Cargue la TC desde la base de datos DICOM de Slicer y segméntela, o guarde la segmentación como imagen.</translation>
    </message>
    <message>
        <source>{missing} of the {count} DICOM files of {name} are no longer where Slicer&apos;s DICOM database says. Import the series again.</source>
        <translation>{missing} de los {count} archivos DICOM de {name} ya no están donde dice la base de datos DICOM de Slicer. Importe la serie de nuevo.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_input</name>
    <message>
        <source>{folder} has no CT series in it that Slicer&apos;s batch can read.</source>
        <translation>{folder} no tiene ninguna serie de TC que el lote pueda leer.</translation>
    </message>
    <message>
        <source>The folder has {count} CT series; the one of the most slices was taken, {slices}: {name}.</source>
        <translation>La carpeta tiene {count} series de TC; se tomó la que tiene más cortes, {slices}: {name}.</translation>
    </message>
    <message>
        <source>{folder} has a series of several slices in one file; load it by the module DICOM.</source>
        <translation>{folder} tiene una serie de varios cortes en un archivo; cárguela con el módulo DICOM.</translation>
    </message>
    <message>
        <source>The slices in {folder} differ in {tag}; one value was expected.</source>
        <translation>Los cortes de {folder} difieren en {tag}; se esperaba un solo valor.</translation>
    </message>
    <message>
        <source>{folder} has {count} slices; at least 3 were expected.</source>
        <translation>{folder} tiene {count} cortes; se esperaban al menos 3.</translation>
    </message>
    <message>
        <source>The slices in {folder} do not follow each other evenly: {low:.2f} to {high:.2f} mm lie between them. Slices are missing, or there are several scans in one series.</source>
        <translation>Los cortes de {folder} no se suceden con regularidad: entre ellos hay de {low:.2f} a {high:.2f} mm. Faltan cortes, o hay varias adquisiciones en una serie.</translation>
    </message>
    <message>
        <source>The gantry was tilted by {tilt:.1f} degrees in {folder}. Load it by the module DICOM, resample it by the module Crop Volume, and segment that volume.</source>
        <translation>El gantry estaba inclinado {tilt:.1f} grados en {folder}. Cargue la serie con el módulo DICOM, remuestréela con el módulo Crop Volume y segmente el volumen obtenido.</translation>
    </message>
    <message>
        <source>{folder} cannot be read by Slicer.</source>
        <translation>Slicer no puede leer {folder}.</translation>
    </message>
    <message>
        <source>Slicer read {found} of the {count} slices in {folder}; load it by the module DICOM.</source>
        <translation>Slicer leyó {found} de los {count} cortes de {folder}; cargue la serie con el módulo DICOM.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.engines</name>
    <message>
        <source>A GPU can be used: {names}.</source>
        <translation>Se puede usar una GPU: {names}.</translation>
    </message>
    <message>
        <source>No GPU is used: {reason}</source>
        <translation>No se usa ninguna GPU: {reason}</translation>
    </message>
    <message>
        <source>No GPU is used: there is no NVIDIA driver on this computer.</source>
        <translation>No se usa ninguna GPU: este ordenador no tiene controlador de NVIDIA.</translation>
    </message>
    <message>
        <source>No GPU is used: the libtorch that ggpfn runs on sees none that it can work with.</source>
        <translation>No se usa ninguna GPU: la libtorch de ggpfn no ve ninguna con la que pueda trabajar.</translation>
    </message>
    <message>
        <source>It runs in this process.</source>
        <translation>Se calcula en este proceso.</translation>
    </message>
    <message>
        <source>It runs in a separate process, the program ggpfn. {reason}</source>
        <translation>Se calcula en un proceso aparte, el programa ggpfn. {reason}</translation>
    </message>
    <message>
        <source>libtorch {version}.</source>
        <translation>libtorch {version}.</translation>
    </message>
    <message>
        <source>each scan&apos;s own</source>
        <translation>el de cada estudio</translation>
    </message>
    <message>
        <source>Views: {views}, {parameters:,} parameters each</source>
        <translation>Vistas: {views}, {parameters:,} parámetros cada una</translation>
    </message>
    <message>
        <source>{slices} slices for one, {fusion}, {guidance}</source>
        <translation>{slices} cortes para uno, {fusion}, {guidance}</translation>
    </message>
    <message>
        <source>fused progressively</source>
        <translation>fusión progresiva</translation>
    </message>
    <message>
        <source>fused at once</source>
        <translation>fusión de una vez</translation>
    </message>
    <message>
        <source>global guidance</source>
        <translation>guía global</translation>
    </message>
    <message>
        <source>no global guidance</source>
        <translation>sin guía global</translation>
    </message>
    <message>
        <source>Spacing: {spacing}; window {low:g} to {high:g} HU; threshold {threshold:g}</source>
        <translation>Espaciado: {spacing}; ventana de {low:g} a {high:g} HU; umbral {threshold:g}</translation>
    </message>
    <message>
        <source>SHA-256: {hash}</source>
        <translation>SHA-256: {hash}</translation>
    </message>
    <message>
        <source>For research only, not for clinical use.</source>
        <translation>Solo para investigación, no para uso clínico.</translation>
    </message>
    <message>
        <source>Trained on synthetic CTs and parts of real ones; on real CTs its predecessor reached a mean Dice of {dice} (0.00 to 0.83).</source>
        <translation>Entrenado con TC sintéticas y partes de TC reales; en TC reales su predecesor alcanzó un Dice medio de {dice} (de 0,00 a 0,83).</translation>
    </message>
    <message>
        <source>Untrained</source>
        <translation>Sin entrenar</translation>
    </message>
    <message>
        <source>Trained by ggpfn {version}</source>
        <translation>Entrenado con ggpfn {version}</translation>
    </message>
    <message>
        <source>{low} to {high} cases</source>
        <translation>{low} a {high} casos</translation>
    </message>
    <message>
        <source>{low} cases</source>
        <translation>{low} casos</translation>
    </message>
    <message>
        <source>validation Dice {low:.2f} to {high:.2f}</source>
        <translation>Dice de validación de {low:.2f} a {high:.2f}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.errors</name>
    <message>
        <source>The library of ggpfn was not found. Install the extension again, or name the folder that has it under Advanced, Library.

{reason}</source>
        <translation>No se encontró la biblioteca de ggpfn. Instale la extensión de nuevo, o indique su carpeta en Avanzado, Biblioteca.

{reason}</translation>
    </message>
    <message>
        <source>The library of ggpfn cannot be used here. Install the version that belongs to this extension, and the program ggpfn beside it, which works in a process of its own.

{reason}</source>
        <translation>La biblioteca de ggpfn no se puede usar aquí. Instale la versión que corresponde a esta extensión y, junto a ella, el programa ggpfn, que trabaja en un proceso propio.

{reason}</translation>
    </message>
    <message>
        <source>The model cannot be used. Choose another file, or the model that is shipped.

{reason}</source>
        <translation>El modelo no se puede usar. Elija otro archivo, o el modelo incluido.

{reason}</translation>
    </message>
    <message>
        <source>There is not enough memory. Choose a region of interest, crop to the body, use fewer views, or tick patches under Advanced.

{reason}</source>
        <translation>No hay memoria suficiente. Elija una región de interés, limite la extensión al cuerpo, use menos vistas o marque las teselas en Avanzado.

{reason}</translation>
    </message>
    <message>
        <source>The volume cannot be segmented.

{reason}</source>
        <translation>El volumen no se puede segmentar.

{reason}</translation>
    </message>
    <message>
        <source>The program ggpfn ended before its work was done; the system may have stopped it for lack of memory. Press Apply to start it again, with a smaller region if this comes back.

{reason}</source>
        <translation>El programa ggpfn terminó antes de acabar su trabajo; puede que el sistema lo detuviera por falta de memoria. Pulse Aplicar para iniciarlo de nuevo, con una región menor si vuelve a ocurrir.

{reason}</translation>
    </message>
    <message>
        <source>A file cannot be read or written: {reason}</source>
        <translation>Un archivo no se puede leer o escribir: {reason}</translation>
    </message>
    <message>
        <source>The module has a fault: {reason}. Please report it with the lines of the error log.</source>
        <translation>El módulo tiene un fallo: {reason}. Comuníquelo, por favor, con las líneas del registro de errores.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.measurements</name>
    <message>
        <source>Measurement</source>
        <translation>Medición</translation>
    </message>
    <message>
        <source>Value</source>
        <translation>Valor</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>Volumen (ml)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>Media (HU)</translation>
    </message>
    <message>
        <source>Standard deviation (HU)</source>
        <translation>Desviación estándar (HU)</translation>
    </message>
    <message>
        <source>Bounding box (mm)</source>
        <translation>Caja envolvente (mm)</translation>
    </message>
    <message>
        <source>Centre R, A, S (mm)</source>
        <translation>Centro R, A, S (mm)</translation>
    </message>
    <message>
        <source>Connected components</source>
        <translation>Componentes conexos</translation>
    </message>
    <message>
        <source>Voxels</source>
        <translation>Vóxeles</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>Umbral</translation>
    </message>
    <message>
        <source>edited by hand</source>
        <translation>editado a mano</translation>
    </message>
    <message>
        <source>Agreement {views} (Dice)</source>
        <translation>Acuerdo {views} (Dice)</translation>
    </message>
    <message>
        <source>Computed on</source>
        <translation>Calculado en</translation>
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
        <translation>Precisión</translation>
    </message>
    <message>
        <source>Recall</source>
        <translation>Exhaustividad</translation>
    </message>
    <message>
        <source>Volume of the truth (mL)</source>
        <translation>Volumen de la verdad (ml)</translation>
    </message>
    <message>
        <source>Difference of volumes (%)</source>
        <translation>Diferencia de volúmenes (%)</translation>
    </message>
    <message>
        <source>95 % surface distance (mm)</source>
        <translation>95 % de las distancias de superficie (mm)</translation>
    </message>
    <message>
        <source>Mean surface distance (mm)</source>
        <translation>Distancia media de las superficies (mm)</translation>
    </message>
    <message>
        <source>The segment is empty.</source>
        <translation>El segmento está vacío.</translation>
    </message>
    <message>
        <source>No pancreas was found at a threshold of {threshold:.2f}; try a lower one.</source>
        <translation>No se encontró páncreas con un umbral de {threshold:.2f}; pruebe uno más bajo.</translation>
    </message>
    <message>
        <source>{volume:.1f} mL, {hu:.0f} HU on average</source>
        <translation>{volume:.1f} ml, {hu:.0f} HU de media</translation>
    </message>
    <message>
        <source>Expected Dice {dice:.2f}</source>
        <translation>Dice esperado {dice:.2f}</translation>
    </message>
    <message>
        <source>{text} at the threshold of {threshold:.2f}</source>
        <translation>{text} con el umbral de {threshold:.2f}</translation>
    </message>
    <message>
        <source>Doubtful, look before you use it. {text}</source>
        <translation>Dudoso, mírelo antes de usarlo. {text}</translation>
    </message>
    <message>
        <source>Of the mask before it was edited by hand</source>
        <translation>De la máscara anterior a la edición a mano</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>Segmentación del páncreas</translation>
    </message>
    <message>
        <source>{volume:.1f} mL</source>
        <translation>{volume:.1f} ml</translation>
    </message>
    <message>
        <source>Model file</source>
        <translation>Archivo de modelo</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>Modelos (*.safetensors)</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automático</translation>
    </message>
    <message>
        <source>This process</source>
        <translation>Este proceso</translation>
    </message>
    <message>
        <source>A separate process</source>
        <translation>Un proceso aparte</translation>
    </message>
    <message>
        <source>Folder of the library of ggpfn</source>
        <translation>Carpeta de la biblioteca de ggpfn</translation>
    </message>
    <message>
        <source>Needs about {need} of memory</source>
        <translation>Necesita unos {need} de memoria</translation>
    </message>
    <message>
        <source>, of {free} that are free</source>
        <translation>, de {free} libres</translation>
    </message>
    <message>
        <source>, and {need} on the GPU</source>
        <translation>, y {need} en la GPU</translation>
    </message>
    <message>
        <source>That is too little: choose a smaller region or fewer views.</source>
        <translation>Es demasiado poco: elija una región menor o menos vistas.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_result</name>
    <message>
        <source>The segment was edited by hand, so the threshold leaves it alone.</source>
        <translation>El segmento se editó a mano, así que el umbral no lo toca.</translation>
    </message>
    <message>
        <source>The measurements are of the mask before.</source>
        <translation>Las mediciones son de la máscara anterior.</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>Exportar como DICOM SEG</translation>
    </message>
    <message>
        <source>DICOM files (*.dcm)</source>
        <translation>Archivos DICOM (*.dcm)</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_sections</name>
    <message>
        <source>Click on one corner of the region in a slice, then on the opposite one.</source>
        <translation>Haga clic en una esquina de la región en un corte, y después en la opuesta.</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>Región</translation>
    </message>
    <message>
        <source>Folder of scans</source>
        <translation>Carpeta de estudios</translation>
    </message>
    <message>
        <source>Folder to write to</source>
        <translation>Carpeta donde escribir</translation>
    </message>
    <message>
        <source>Volume</source>
        <translation>Volumen</translation>
    </message>
    <message>
        <source>Corrected</source>
        <translation>Corregida</translation>
    </message>
    <message>
        <source>Choose a volume and its corrected segmentation first.</source>
        <translation>Elija primero un volumen y su segmentación corregida.</translation>
    </message>
    <message>
        <source>New model</source>
        <translation>Nuevo modelo</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>Modelos (*.safetensors)</translation>
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
        <translation>sagital</translation>
    </message>
    <message>
        <source>coronal</source>
        <translation>coronal</translation>
    </message>
    <message>
        <source>Whole volume</source>
        <translation>Volumen entero</translation>
    </message>
    <message>
        <source>Crop to the body</source>
        <translation>Limitar al cuerpo</translation>
    </message>
    <message>
        <source>Region of interest</source>
        <translation>Región de interés</translation>
    </message>
    <message>
        <source>Shipped with ggpfn</source>
        <translation>Incluido en ggpfn</translation>
    </message>
    <message>
        <source>A file of my own</source>
        <translation>Un archivo propio</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automático</translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation>Procesador (CPU)</translation>
    </message>
    <message>
        <source>Graphics card (GPU)</source>
        <translation>Tarjeta gráfica (GPU)</translation>
    </message>
    <message>
        <source>32 bits, exact</source>
        <translation>32 bits, exacto</translation>
    </message>
    <message>
        <source>16 bits, fast</source>
        <translation>16 bits, rápido</translation>
    </message>
    <message>
        <source>Volumes of the scene</source>
        <translation>Volúmenes de la escena</translation>
    </message>
    <message>
        <source>A sequence</source>
        <translation>Una secuencia</translation>
    </message>
    <message>
        <source>Files in a folder</source>
        <translation>Archivos de una carpeta</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.remedies</name>
    <message>
        <source>Replace the voxels of {name} that are not numbers by air, {hu} HU? Its file stays as it is.</source>
        <translation>¿Sustituir los vóxeles de {name} que no son números por aire, {hu} HU? El archivo queda como está.</translation>
    </message>
    <message>
        <source>Go on with patches of 256 x 256, which take less of the GPU&apos;s memory?</source>
        <translation>¿Seguir con teselas de 256 x 256, que ocupan menos memoria de la GPU?</translation>
    </message>
    <message>
        <source>Go on with the processor instead of the GPU? It takes longer.</source>
        <translation>¿Seguir con el procesador en lugar de la GPU? Tarda más.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.rest</name>
    <message>
        <source>Measuring {name}</source>
        <translation>Midiendo {name}</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>El volumen o la segmentación se eliminó durante la medición.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_input</name>
    <message>
        <source>Choose a CT volume first.</source>
        <translation>Elija primero un volumen de TC.</translation>
    </message>
    <message>
        <source>{name} is a label map; choose the CT itself.</source>
        <translation>{name} es un mapa de etiquetas; elija la propia TC.</translation>
    </message>
    <message>
        <source>{name} has no voxels; load it again.</source>
        <translation>{name} no tiene vóxeles; cárguelo de nuevo.</translation>
    </message>
    <message>
        <source>{name} has {count} numbers at each voxel: a colour image, or a 4D scan that was loaded as one volume. Load it as a volume sequence, and choose one of its volumes here, or all under Batch.</source>
        <translation>{name} tiene {count} números en cada vóxel: una imagen en color, o un estudio 4D cargado como un solo volumen. Cárguelo como secuencia de volúmenes, y elija aquí uno de sus volúmenes, o todos en Lote.</translation>
    </message>
    <message>
        <source>{name} has a spacing of {spacing} mm; set it in the module Volumes, under Volume Information.</source>
        <translation>{name} tiene un espaciado de {spacing} mm; ajústelo en el módulo Volumes, en Volume Information.</translation>
    </message>
    <message>
        <source>The axes of {name} are not perpendicular, as with a tilted gantry. Resample it by the module Crop Volume, with interpolation, and choose the volume that it makes.</source>
        <translation>Los ejes de {name} no son perpendiculares, como con un gantry inclinado. Remuestréelo con el módulo Crop Volume, con interpolación, y elija el volumen obtenido.</translation>
    </message>
    <message>
        <source>{name} is only {count} slices thick; the result will be poor.</source>
        <translation>{name} solo tiene {count} cortes de grosor; el resultado será malo.</translation>
    </message>
    <message>
        <source>{name} has no value below -200, as air has in Hounsfield units. Is it a CT?</source>
        <translation>{name} no tiene ningún valor inferior a -200, como lo tiene el aire en unidades Hounsfield. ¿Es una TC?</translation>
    </message>
    <message>
        <source>No body was found: nothing in the volume is denser than air. Use the whole volume.</source>
        <translation>No se encontró ningún cuerpo: nada en el volumen es más denso que el aire. Use el volumen entero.</translation>
    </message>
    <message>
        <source>Choose a region of interest, or place one around the upper abdomen.</source>
        <translation>Elija una región de interés, o coloque una alrededor de la parte superior del abdomen.</translation>
    </message>
    <message>
        <source>The region of interest lies outside of the volume; move it onto the upper abdomen.</source>
        <translation>La región de interés está fuera del volumen; muévala a la parte superior del abdomen.</translation>
    </message>
    <message>
        <source>{name} cannot be brought onto the grid of {volume}; do they belong together?</source>
        <translation>{name} no se puede llevar a la rejilla de {volume}; ¿van juntos?</translation>
    </message>
    <message>
        <source>{name} has no segments.</source>
        <translation>{name} no tiene segmentos.</translation>
    </message>
    <message>
        <source>{name} has {count} segments, and none is called pancreas; rename the one that is meant.</source>
        <translation>{name} tiene {count} segmentos, y ninguno se llama pancreas; cambie el nombre del que corresponda.</translation>
    </message>
    <message>
        <source>{path} is missing or is no image that Slicer can read.</source>
        <translation>{path} falta o no es una imagen que Slicer pueda leer.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_output</name>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} páncreas</translation>
    </message>
    <message>
        <source>pancreas</source>
        <translation>páncreas</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.segmenting</name>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>Marque al menos una vista en Avanzado.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Elija un archivo de modelo, o el modelo incluido.</translation>
    </message>
    <message>
        <source>Segmenting {name}</source>
        <translation>Segmentando {name}</translation>
    </message>
    <message>
        <source>{name} uncertainty</source>
        <translation>{name} incertidumbre</translation>
    </message>
    <message>
        <source>{name} probability</source>
        <translation>{name} probabilidad</translation>
    </message>
    <message>
        <source>{name} measurements</source>
        <translation>{name} mediciones</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} se editó a mano y queda como está; el resultado está en {new}.</translation>
    </message>
    <message>
        <source>The model has the views {views} alone; tick one of them under Advanced.</source>
        <translation>El modelo solo tiene las vistas {views}; marque una de ellas en Avanzado.</translation>
    </message>
    <message>
        <source>All weights of the views are 0; give one of them a weight under Advanced.</source>
        <translation>Todos los pesos de las vistas son 0; dé un peso a una de ellas en Avanzado.</translation>
    </message>
    <message>
        <source>Choose the segmentation that is to be measured under Result.</source>
        <translation>Elija en Resultado la segmentación que se ha de medir.</translation>
    </message>
    <message>
        <source>Measuring {name}</source>
        <translation>Midiendo {name}</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>El volumen o la segmentación se eliminó durante la medición.</translation>
    </message>
    <message>
        <source>Looking at the library</source>
        <translation>Consultando la biblioteca</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.tasks</name>
    <message>
        <source>Cancelled.</source>
        <translation>Cancelado.</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>Cancelado, porque se cerró la escena.</translation>
    </message>
    <message>
        <source>The volume was deleted during the work, so the result was dropped. Choose another volume.</source>
        <translation>El volumen se eliminó durante el trabajo, así que el resultado se descartó. Elija otro volumen.</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>Lectura</translation>
    </message>
    <message>
        <source>Resampling</source>
        <translation>Remuestreo</translation>
    </message>
    <message>
        <source>Axial view</source>
        <translation>Vista axial</translation>
    </message>
    <message>
        <source>Sagittal view</source>
        <translation>Vista sagital</translation>
    </message>
    <message>
        <source>Coronal view</source>
        <translation>Vista coronal</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Resultado</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>Iniciando</translation>
    </message>
    <message>
        <source>{phase}: {percent:.0f} %</source>
        <translation>{phase}: {percent:.0f} %</translation>
    </message>
    <message>
        <source>{minutes}:{seconds:02} left</source>
        <translation>quedan {minutes}:{seconds:02}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.training</name>
    <message>
        <source>loss</source>
        <translation>pérdida</translation>
    </message>
    <message>
        <source>validation Dice</source>
        <translation>Dice de validación</translation>
    </message>
    <message>
        <source>Add at least one pair of a volume and its corrected segmentation.</source>
        <translation>Añada al menos un par de un volumen y su segmentación corregida.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Elija un archivo de modelo, o el modelo incluido.</translation>
    </message>
    <message>
        <source>Add a second pair to validate on, or untick the validation.</source>
        <translation>Añada un segundo par para validar, o desmarque la validación.</translation>
    </message>
    <message>
        <source>Fine-tuning</source>
        <translation>Ajuste fino</translation>
    </message>
    <message>
        <source>The new model is in {path} and is chosen now.</source>
        <translation>El nuevo modelo está en {path} y ya está elegido.</translation>
    </message>
    <message>
        <source>Validation Dice {low:.2f} to {high:.2f}.</source>
        <translation>Dice de validación de {low:.2f} a {high:.2f}.</translation>
    </message>
    <message>
        <source>A volume of the training was deleted, so the training was stopped.</source>
        <translation>Un volumen del entrenamiento se eliminó, así que el entrenamiento se detuvo.</translation>
    </message>
    <message>
        <source>step</source>
        <translation>paso</translation>
    </message>
    <message>
        <source>{name} has no pancreas within {volume}; correct the pair.</source>
        <translation>{name} no tiene páncreas dentro de {volume}; corrija el par.</translation>
    </message>
</context>
<context>
    <name>qSlicerAbstractCoreModule</name>
    <message>
        <source>Segmentation</source>
        <translation>Segmentación</translation>
    </message>
</context>
</TS>
